import {dispose, type Optimizer, type Tensor, tensor, tidy, Variable} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {assert} from '../src/asserts';
import type {NamedTensor} from './optimizers/training_optimizer';
import type {RunStorage} from './run_storage';
import {decodeSafetensors, encodeSafetensors, type HostTensor} from './safetensors';

// A checkpoint is one safetensors file: the model's weights by their names, the optimizer's state by
// its names after OPTIMIZER, and as metadata the configuration, the step, and the position in the
// data. One file is replaced at once, so that its parts always belong together.

const OPTIMIZER = 'optimizer/';
const FILE = /^checkpoint-(\d+)\.safetensors$/;

/** The newest may be damaged by what no program prevents; the one before it is kept for that. */
const NUM_KEPT = 2;

/** What makes two runs the same run: plain values by name. */
export type RunConfig = Record<string, unknown>;

/** How far a run is. */
export interface TrainingState {
  /** Steps done. */
  step: number;
  /** Where the data goes on; see TrainingBatches. */
  data: unknown;
}

/** The checkpoints of one model in one folder. */
export class Checkpoints {
  constructor(
    private readonly folder: RunStorage,
    private readonly config: RunConfig,
    private readonly warn: (message: string) => void = console.warn,
  ) {}

  /**
   * Saves the model and its optimizer, and removes older checkpoints than the one before.
   *
   * @returns Whether it is saved. Where it is not, the earlier ones are as they were: the disk may be
   *     full, or the weights have become NaN or infinite.
   */
  async save(model: LayersModel, state: TrainingState): Promise<boolean> {
    const weights = await download(namedWeights(model));
    const broken = [...weights].find(([, {values}]) => !values.every(Number.isFinite));
    if (broken != null) {
      this.warn(`checkpoint: ${broken[0]} is not finite at step ${state.step}, so it is not saved`);
      return false;
    }
    const optimizerState = await model.optimizer.getWeights();
    const optimizer = await download(optimizerState, OPTIMIZER);
    // The count of iterations is a new tensor each time, the rest are the optimizer's variables.
    dispose(optimizerState.map(({tensor}) => tensor).filter((x) => !(x instanceof Variable)));
    const contents = encodeSafetensors({
      tensors: new Map([...weights, ...optimizer]),
      metadata: {config: JSON.stringify(this.config), state: JSON.stringify(state)},
    });
    const saved = await this.folder.write(fileName(state.step), contents);
    if (saved) {
      this.files()
        .slice(0, -NUM_KEPT)
        .forEach((name) => this.folder.remove(name));
    }
    return saved;
  }

  /**
   * Restores the newest checkpoint that is whole.
   *
   * @returns How far it is, undefined where there is no checkpoint.
   * @throws If the checkpoint is of another configuration, naming what differs; or if checkpoints
   *     are there, but none can be read.
   */
  async restore(model: LayersModel): Promise<TrainingState | undefined> {
    let unreadable: Error | undefined;
    for (const name of this.files().reverse()) {
      const path = `${this.folder.path}/${name}`;
      let file;
      try {
        file = decodeSafetensors(this.folder.read(name)!, path);
      } catch (error) {
        unreadable = error as Error;
        this.warn(`checkpoint: ${unreadable.message}; trying the one before`);
        continue;
      }
      assertSameConfig(path, JSON.parse(file.metadata.config), this.config);
      restoreWeights(path, model, file.tensors);
      await restoreOptimizer(model.optimizer, file.tensors);
      return JSON.parse(file.metadata.state);
    }
    if (unreadable != null) {
      throw new Error(`${unreadable.message}; no other checkpoint is there`);
    }
    return undefined;
  }

  /** The steps at which there are checkpoints, ascending. */
  steps(): number[] {
    return this.files().map((name) => Number(FILE.exec(name)![1]));
  }

  /** Removes all checkpoints. */
  clear() {
    this.files().forEach((name) => this.folder.remove(name));
  }

  private files(): string[] {
    return this.folder.list().filter((name) => FILE.test(name));
  }
}

/** The fields in which two configurations differ, each with both values. */
export function configDifferences(saved: RunConfig, wanted: RunConfig): string[] {
  return [...new Set([...Object.keys(saved), ...Object.keys(wanted)])]
    .map((field) => [field, JSON.stringify(saved[field]), JSON.stringify(wanted[field])])
    .filter(([, there, here]) => there !== here)
    .map(([field, there, here]) => `${field} is ${there} there, ${here} here`);
}

function assertSameConfig(name: string, saved: RunConfig, wanted: RunConfig) {
  const differences = configDifferences(saved, wanted);
  assert(
    differences.length === 0,
    () => `${name}: must have the configuration of this run, got ${differences.join('; ')}`,
  );
}

/** Names sort as numbers do. */
function fileName(step: number): string {
  return `checkpoint-${String(step).padStart(8, '0')}.safetensors`;
}

function namedWeights(model: LayersModel): NamedTensor[] {
  return model.weights.map((weight) => ({name: weight.originalName, tensor: weight.read()}));
}

async function download(tensors: NamedTensor[], prefix = ''): Promise<Map<string, HostTensor>> {
  const result = new Map<string, HostTensor>();
  for (const {name, tensor} of tensors) {
    if (result.has(prefix + name)) {
      throw new Error(`checkpoint: names must differ, got ${name} twice`);
    }
    // The values are those of the moment: a backend may hand out its own array.
    const values = (await tensor.data()).slice() as Float32Array | Int32Array;
    result.set(prefix + name, {shape: tensor.shape, values});
  }
  return result;
}

function restoreWeights(path: string, model: LayersModel, tensors: Map<string, HostTensor>) {
  for (const weight of model.weights) {
    const saved = tensors.get(weight.originalName);
    if (saved == null || String(saved.shape) !== String(weight.shape)) {
      throw new Error(
        `${path}: ${weight.originalName} must have shape [${weight.shape}], ` +
          (saved == null ? 'got no such tensor' : `got [${saved.shape}]`),
      );
    }
    tidy(() => void weight.write(upload(saved)));
  }
}

async function restoreOptimizer(optimizer: Optimizer, tensors: Map<string, HostTensor>) {
  const weights = [...tensors]
    .filter(([name]) => name.startsWith(OPTIMIZER))
    .map(([name, value]) => ({name: name.slice(OPTIMIZER.length), tensor: upload(value)}));
  await optimizer.setWeights(weights);
  dispose(weights.map(({tensor}) => tensor)); // Its variables keep the values.
}

function upload({shape, values}: HostTensor): Tensor {
  return tensor(values, shape, values instanceof Float32Array ? 'float32' : 'int32');
}
