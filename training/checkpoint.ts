import {dispose, type Tensor, tensor, tidy, Variable} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {moeLayers} from '../layers/batched_losses';
import {assert, assertCount} from '../src/asserts';
import {type CheckpointContents, CheckpointFiles, type UnreadTensor} from './checkpoint_files';
import type {NamedTensor} from './optimizers/training_optimizer';
import type {RunStorage} from './run_storage';
import type {HostTensor} from './safetensors';

// A checkpoint has the model's weights by their names, the optimizer's state by its names after OPTIMIZER, and as
// metadata the configuration, how far the run is, and how often its routers have drawn.

const OPTIMIZER = 'optimizer/';
const MAX_SHARD_BYTES = 2 ** 30;

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
  /**
   * A checkpoint with more bytes of values is several files with an index, none of them with more unless
   * a single tensor has. Default 1 GiB.
   */
  maxShardBytes?: number;
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
  private readonly files: CheckpointFiles;
  private readonly config: RunConfig;
  private readonly keep: number;
  private readonly warn: (message: string) => void;

  constructor({
    storage,
    config,
    keep = 2,
    maxShardBytes = MAX_SHARD_BYTES,
    warn = console.warn,
  }: CheckpointsConfig) {
    assertCount('Checkpoints', 'keep', keep, {min: 1});
    this.files = new CheckpointFiles(storage, maxShardBytes);
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
   * written. The next one must wait for `saved`. Of more than 2 GiB the first ones are written before
   * the rest is read.
   */
  async startSaving(model: LayersModel, state: TrainingState): Promise<{saved: Promise<boolean>}> {
    const optimizer = await model.optimizer.getWeights();
    const tensors = [
      ...model.weights.map((weight) => readFinite(nameOf(weight), weight.read())),
      ...optimizer.map(({name, tensor}) => unread(OPTIMIZER + name, tensor)),
    ];
    assertDifferent(tensors);
    try {
      const {written} = await this.files.startWriting(state.step, tensors, {
        config: JSON.stringify(this.config),
        state: JSON.stringify(state),
        random: JSON.stringify(randomState(model)),
      });
      return {saved: written.then((succeeded) => this.endSaving(succeeded, state))};
    } catch (error) {
      if (!(error instanceof NotFinite)) {
        throw error;
      }
      this.warn(`checkpoint: ${error.message} at step ${state.step}, so it is not saved`);
      return {saved: Promise.resolve(false)};
    } finally {
      // Counts are new tensors each time, the rest are the optimizer's variables.
      dispose(optimizer.map(({tensor}) => tensor).filter((x) => !(x instanceof Variable)));
    }
  }

  private endSaving(succeeded: boolean, state: TrainingState): boolean {
    if (succeeded) {
      this.rotate(state);
    }
    return succeeded;
  }

  /** Removes the checkpoints that are not kept. */
  private rotate({step: current, best}: TrainingState) {
    const steps = this.steps();
    // Later ones are those that could not be read: they take the place of none that can.
    const later = steps.filter((step) => step > current);
    const last = steps.filter((step) => step <= current).slice(-this.keep);
    this.files.keepOnly(new Set([...later, ...last, ...(best == null ? [] : [best.step])]));
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
    for (const step of this.steps().reverse()) {
      let checkpoint;
      try {
        checkpoint = this.files.open(step);
      } catch (error) {
        unreadable = error as Error;
        this.warn(`checkpoint: ${unreadable.message}; trying the one before`);
        continue;
      }
      const {path, metadata} = checkpoint;
      assertSameConfig(path, JSON.parse(metadata.config), this.config);
      await restoreTensors(model, checkpoint);
      restoreRandomState(model, JSON.parse(metadata.random));
      const state = JSON.parse(metadata.state) as TrainingState;
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
    return this.files.steps();
  }

  /** Removes all checkpoints. */
  clear() {
    this.files.keepOnly(new Set());
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

/** By the name of the layer and that of the weight in it, which is MegaBlocks' own: `dmoe.experts.mlp.w1`. */
function nameOf({originalName}: LayersModel['weights'][number]): string {
  return originalName.replaceAll('/', '.');
}

function assertDifferent(tensors: readonly UnreadTensor[]) {
  const names = new Set<string>();
  for (const {name} of tensors) {
    assert(!names.has(name), () => `checkpoint: names must differ, got ${name} twice`);
    names.add(name);
  }
}

function unread(name: string, tensor: Tensor): UnreadTensor {
  // What is read stays as it is: no kernel changes a tensor, and a variable that changes gets another one.
  const read = async () => ({
    shape: tensor.shape,
    values: (await tensor.data()) as Float32Array | Int32Array,
  });
  return {name, shape: tensor.shape, read};
}

/** A weight is NaN or infinite. */
class NotFinite extends Error {}

function readFinite(name: string, tensor: Tensor): UnreadTensor {
  const weight = unread(name, tensor);
  const read = async () => {
    const result = await weight.read();
    if (!allFinite(result.values)) {
      throw new NotFinite(`${name} is not finite`);
    }
    return result;
  };
  return {...weight, read};
}

/** One that is not makes the sum NaN. */
function allFinite(values: Float32Array | Int32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i] * 0;
  }
  return sum === 0;
}

/** Fills the model and its optimizer, file by file, so that no more than one is in memory. */
async function restoreTensors(model: LayersModel, {path, shards}: CheckpointContents) {
  const missing = new Map(model.weights.map((weight) => [nameOf(weight), weight]));
  const optimizer: NamedTensor[] = [];
  for (const tensors of shards()) {
    for (const [name, saved] of tensors) {
      const weight = missing.get(name);
      if (name.startsWith(OPTIMIZER)) {
        optimizer.push({name: name.slice(OPTIMIZER.length), tensor: upload(saved)});
      } else if (weight != null) {
        assertShape(path, name, weight.shape, `[${saved.shape}]`);
        tidy(() => void weight.write(upload(saved)));
        missing.delete(name);
      }
    }
  }
  missing.forEach(({shape}, name) => assertShape(path, name, shape, 'no such tensor'));
  await model.optimizer.setWeights(optimizer);
  dispose(optimizer.map(({tensor}) => tensor)); // Its variables keep the values.
}

function assertShape(path: string, name: string, shape: readonly (number | null)[], got: string) {
  const wanted = `[${shape}]`;
  assert(got === wanted, () => `${path}: ${name} must have shape ${wanted}, got ${got}`);
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
