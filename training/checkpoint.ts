import {dispose, type Optimizer, type Tensor, tensor, tidy, Variable} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {moeLayers} from '../layers/batched_losses';
import {assert, assertCount} from '../src/asserts';
import type {NamedTensor} from './optimizers/training_optimizer';
import type {RunStorage} from './run_storage';
import type {HostTensor} from './safetensors';
import {decodeSealedSafetensors, encodeSealedSafetensors} from './sealed_safetensors';

// A checkpoint is one safetensors file: the model's weights by their names, the optimizer's state by
// its names after OPTIMIZER, and as metadata a checksum, the configuration, and how far the run is. One
// file is replaced at once, so that its parts always belong together.

const OPTIMIZER = 'optimizer/';
const FILE = /^checkpoint-(\d+)\.safetensors$/;

/** What makes two runs the same run: plain values by name. */
export type RunConfig = Record<string, unknown>;

/** How far a run is. */
export interface TrainingState {
  /** Steps done. */
  step: number;
  /** Samples that these steps took from the data, from where it goes on. */
  samples: number;
  /** The checkpoint of the lowest validation loss so far. */
  best?: {step: number; validationLoss: number};
  /** How many steps up to this one were skipped in a row, since they were not finite. */
  skipped?: number;
}

export interface CheckpointsConfig {
  /** Where they are kept: a `RunFolder` in Node.js. */
  storage: RunStorage;
  /** What another run must not differ in to go on from them. */
  config: RunConfig;
  /**
   * How many are kept, beside the best. Default 2: the newest may be damaged by what no program
   * prevents.
   */
  keep?: number;
  /** Hears of what goes wrong and does not end the run. Default console.warn. */
  warn?: (message: string) => void;
}

/**
 * The checkpoints of one run: the model, the optimizer with its schedule, the position in the data, and
 * the state of the routers' jitter. A run that goes on from one takes the very steps of one that was not
 * interrupted.
 *
 * ```js
 * const checkpoints = new Checkpoints({storage: new RunFolder('runs/first'), config: {layers: 6}});
 * const state = await checkpoints.restore(model);  // Of a compiled model; undefined where there is none.
 * await checkpoints.save(model, {step: 100, samples: 51200});
 * ```
 */
export class Checkpoints {
  private readonly storage: RunStorage;
  private readonly config: RunConfig;
  private readonly keep: number;
  private readonly warn: (message: string) => void;

  constructor({storage, config, keep = 2, warn = console.warn}: CheckpointsConfig) {
    assertCount('Checkpoints', 'keep', keep, {min: 1});
    this.storage = storage;
    this.config = config;
    this.keep = keep;
    this.warn = warn;
  }

  /**
   * Saves the model and its optimizer, and removes the checkpoints that are not kept.
   *
   * @returns Whether it is saved. Where it is not, the earlier ones are as they were: the disk may be
   *     full, or the weights have become NaN or infinite.
   */
  async save(model: LayersModel, state: TrainingState): Promise<boolean> {
    return (await this.startSaving(model, state)).saved;
  }

  /**
   * Like `save`, but only until the values are read from the device: training can go on while they are
   * written. The next one must wait for `saved`.
   */
  async startSaving(model: LayersModel, state: TrainingState): Promise<{saved: Promise<boolean>}> {
    const weights = await download(namedWeights(model));
    const broken = [...weights].find(([, {values}]) => !allFinite(values));
    if (broken != null) {
      this.warn(`checkpoint: ${broken[0]} is not finite at step ${state.step}, so it is not saved`);
      return {saved: Promise.resolve(false)};
    }
    const optimizer = await downloadOptimizer(model.optimizer);
    const contents = encodeSealedSafetensors({
      tensors: new Map([...weights, ...optimizer]),
      metadata: {
        config: JSON.stringify(this.config),
        state: JSON.stringify(state),
        random: JSON.stringify(randomState(model)),
      },
    });
    return {saved: this.write(state, contents)};
  }

  private async write(state: TrainingState, contents: Uint8Array[]): Promise<boolean> {
    const name = fileName(state.step);
    const saved = await (this.storage.writeAside?.(name, contents) ??
      this.storage.write(name, contents));
    if (saved) {
      this.rotate(state);
    }
    return saved;
  }

  /** Removes the checkpoints that are not kept. */
  private rotate({best}: TrainingState) {
    const kept = new Set(this.files().slice(-this.keep));
    if (best != null) {
      kept.add(fileName(best.step));
    }
    this.files()
      .filter((file) => !kept.has(file))
      .forEach((file) => this.storage.remove(file));
  }

  /**
   * Restores the newest checkpoint that is whole.
   *
   * @param model Compiled, with the optimizer that is to go on.
   * @returns How far it is, undefined where there is no checkpoint.
   * @throws If the checkpoint is of another configuration, naming what differs; or if checkpoints
   *     are there, but none can be read.
   */
  async restore(model: LayersModel): Promise<TrainingState | undefined> {
    let unreadable: Error | undefined;
    for (const name of this.files().reverse()) {
      const path = `${this.storage.path}/${name}`;
      let file;
      try {
        file = decodeSealedSafetensors(this.storage.read(name)!, path);
      } catch (error) {
        unreadable = error as Error;
        this.warn(`checkpoint: ${unreadable.message}; trying the one before`);
        continue;
      }
      assertSameConfig(path, JSON.parse(file.metadata.config), this.config);
      restoreWeights(path, model, file.tensors);
      await restoreOptimizer(model.optimizer, file.tensors);
      restoreRandomState(model, JSON.parse(file.metadata.random));
      const state = JSON.parse(file.metadata.state) as TrainingState;
      if (unreadable == null) {
        this.rotate(state); // A run that was killed may not have come to it.
      }
      return state;
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
    this.files().forEach((name) => this.storage.remove(name));
  }

  private files(): string[] {
    return this.storage.list().filter((name) => FILE.test(name));
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

/** By the name of the layer and that of the weight in it, which is MegaBlocks' own: `dmoe.experts.mlp.w1`. */
function nameOf({originalName}: LayersModel['weights'][number]): string {
  return originalName.replaceAll('/', '.');
}

function namedWeights(model: LayersModel): NamedTensor[] {
  return model.weights.map((weight) => ({name: nameOf(weight), tensor: weight.read()}));
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

async function downloadOptimizer(optimizer: Optimizer): Promise<Map<string, HostTensor>> {
  const state = await optimizer.getWeights();
  const downloaded = await download(state, OPTIMIZER);
  // Counts are new tensors each time, the rest are the optimizer's variables.
  dispose(state.map(({tensor}) => tensor).filter((x) => !(x instanceof Variable)));
  return downloaded;
}

/** One that is not makes the sum NaN. */
function allFinite(values: Float32Array | Int32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i] * 0;
  }
  return sum === 0;
}

function restoreWeights(path: string, model: LayersModel, tensors: Map<string, HostTensor>) {
  for (const weight of model.weights) {
    const name = nameOf(weight);
    const saved = tensors.get(name);
    if (saved == null || String(saved.shape) !== String(weight.shape)) {
      throw new Error(
        `${path}: ${name} must have shape [${weight.shape}], ` +
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

/** How often each router has drawn, in the order of the layers. All else that is random has its seed. */
function randomState(model: LayersModel): number[] {
  return moeLayers(model).map(({jitterCalls}) => jitterCalls);
}

function restoreRandomState(model: LayersModel, calls: number[]) {
  moeLayers(model).forEach((layer, i) => (layer.jitterCalls = calls[i]));
}
