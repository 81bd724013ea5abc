import * as tf from '@tensorflow/tfjs';
import {mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {TrainingBatches} from '../training/batches';
import {Checkpoints} from '../training/checkpoint';
import {RunFolder} from '../training/run_folder';
import {decodeSafetensors} from '../training/safetensors';
import {describeEachBackend} from './backends';
import {TINY, tinyIds, tinyLanguageModel, tinyLoss} from './tiny_language_model';

const config = {layers: 2, hidden: 8, data: 'moby-dick'};
const data = {position: 12};

let path: string;
let warnings: string[];
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'checkpoint-'));
  warnings = [];
});
afterEach(() => rmSync(path, {recursive: true}));

function checkpoints(otherConfig: object = config): Checkpoints {
  const warn = (message: string) => warnings.push(message);
  return new Checkpoints(new RunFolder(path, warn), {...otherConfig}, warn);
}

function compiled(seed = 1, hidden = 8): tf.LayersModel {
  const model = tinyLanguageModel({seed, hidden});
  model.compile({optimizer: new AdamWOptimizer({learningRate: 0.01}), loss: tinyLoss});
  return model;
}

/** Trains for some steps on the same batch and gives the losses. */
async function losses(model: tf.LayersModel, steps: number): Promise<number[]> {
  const batches = new TrainingBatches({
    ids: tinyIds(2 * TINY.sequenceLength + 1),
    batchSize: 2,
    sequenceLength: TINY.sequenceLength,
    seed: 1,
  });
  const {history} = await model.fitDataset(batches.dataset(1, steps), {epochs: steps, verbose: 0});
  return history.loss as number[];
}

describeEachBackend('checkpoints', () => {
  // tfjs' own fused product on wasm fails its check for leaks where an activation is not fused.
  beforeAll(() => tf.env().set('IS_TEST', false));

  it('restore the weights, the optimizer and the state, to the bit', async () => {
    const model = compiled();
    await losses(model, 5);
    expect(await checkpoints().save(model, {step: 5, data})).toBe(true);
    const expected = await losses(model, 5);

    const other = compiled(2);
    expect(await checkpoints().restore(other)).toEqual({step: 5, data});
    expect(await losses(other, 5)).toEqual(expected);
  });

  it('leave no tensors behind', async () => {
    const model = compiled();
    await losses(model, 1);
    const fresh = compiled(2);
    const before = tf.memory().numTensors;
    await checkpoints().save(model, {step: 1, data});
    expect(tf.memory().numTensors).toBe(before);
    await checkpoints().restore(fresh);
    // What stays is the optimizer's state: two moments a weight.
    expect(tf.memory().numTensors).toBe(before + 2 * fresh.weights.length);
  });

  it('are safetensors with the names of the weights', async () => {
    const model = compiled();
    await checkpoints().save(model, {step: 1, data});
    const {tensors} = decodeSafetensors(
      readFileSync(join(path, 'checkpoint-00000001.safetensors')),
      '',
    );
    expect([...tensors.keys()].slice(0, 4)).toEqual([
      'hidden/kernel',
      'hidden/bias',
      'logits/kernel',
      'logits/bias',
    ]);
    expect(tensors.get('hidden/kernel')!.shape).toEqual([TINY.vocabSize, 8]);
  });

  it('are kept but for the two newest', async () => {
    const model = compiled();
    for (const step of [8, 9, 10, 11]) {
      await checkpoints().save(model, {step, data});
    }
    expect(checkpoints().steps()).toEqual([10, 11]);
  });

  it('are none in an empty folder', async () => {
    expect(await checkpoints().restore(compiled())).toBeUndefined();
  });

  it('fall back to the one before where the newest is damaged', async () => {
    const model = compiled();
    await checkpoints().save(model, {step: 1, data});
    await checkpoints().save(model, {step: 2, data});
    const newest = join(path, 'checkpoint-00000002.safetensors');
    truncateSync(newest, statSync(newest).size - 1);
    expect((await checkpoints().restore(compiled()))!.step).toBe(1);
    expect(warnings).toEqual([
      expect.stringMatching(
        /checkpoint-00000002\.safetensors: must have \d+ bytes or more, got \d+: it is cut short; trying/,
      ),
    ]);
    truncateSync(join(path, 'checkpoint-00000001.safetensors'), 3);
    await expect(checkpoints().restore(compiled())).rejects.toThrow('no other checkpoint is there');
  });

  it('refuse another configuration and name what differs', async () => {
    await checkpoints().save(compiled(), {step: 1, data});
    const other = checkpoints({layers: 4, hidden: 8, data: 'moby-dick', experts: 2});
    await expect(other.restore(compiled())).rejects.toThrow(
      `${path}/checkpoint-00000001.safetensors: must have the configuration of this run, ` +
        'got layers is 2 there, 4 here; experts is undefined there, 2 here',
    );
  });

  it('refuse another model of the same configuration', async () => {
    await checkpoints().save(compiled(), {step: 1, data});
    await expect(checkpoints().restore(compiled(1, 9))).rejects.toThrow(
      'hidden/kernel must have shape [13,9], got [13,8]',
    );
  });

  it('refuse to save weights that are not finite', async () => {
    const model = compiled();
    await checkpoints().save(model, {step: 1, data});
    model.getLayer('logits').setWeights([tf.fill([8, 13], NaN), tf.zeros([13])]);
    expect(await checkpoints().save(model, {step: 2, data})).toBe(false);
    expect(warnings).toEqual([
      'checkpoint: logits/kernel is not finite at step 2, so it is not saved',
    ]);
    expect(checkpoints().steps()).toEqual([1]);
  });

  it('say once that the folder cannot be written, and keep the last good one', async () => {
    const model = compiled();
    const folder = new RunFolder(join(path, 'run'), (message) => warnings.push(message));
    const store = new Checkpoints(folder, config);
    writeFileSync(join(path, 'run'), 'a file where the folder should be');
    expect(await store.save(model, {step: 1, data})).toBe(false);
    rmSync(join(path, 'run'));
    expect(await store.save(model, {step: 2, data})).toBe(true);
    expect(warnings.length).toBe(1);
    expect(store.steps()).toEqual([2]);
  });
});
