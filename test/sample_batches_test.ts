import '@tensorflow/tfjs-backend-cpu';
import {input, layers, model} from '@tensorflow/tfjs-layers';
import {dispose, memory, setBackend, train} from '@tensorflow/tfjs-core';
import {batchesOf} from '../training/data/batch_source';
import {evaluationData, sampleData} from '../training/data/batch_queue';
import {SampleBatches} from '../training/data/sample_batches';
import type {Samples} from '../training/data/samples';

/** Samples whose ids are their number, so that one sees which came. */
class Numbers implements Samples {
  readonly name = 'numbers';
  readonly sequenceLength = 3;
  readonly reads: number[] = [];
  constructor(readonly length: number) {}
  read(index: number, target: Int32Array) {
    this.reads.push(index);
    target.forEach((_, i) => (target[i] = 10 * index + i));
  }
}

beforeAll(() => setBackend('cpu'));

/** The first id of every sequence of every batch. */
async function drain(batches: ReturnType<SampleBatches['first']>): Promise<number[][]> {
  const firsts: number[][] = [];
  await batches.forEachAsync(({xs, ys}) => {
    firsts.push(xs.arraySync().map(([first]) => first));
    dispose([xs, ys]);
  });
  return firsts;
}

describe('batches of samples', () => {
  it('are ids and the ids that follow', async () => {
    const batches = new SampleBatches({source: batchesOf(new Numbers(4), 2)}).first();
    const [{xs, ys}] = await batches.take(1).toArray();
    expect(xs.arraySync()).toEqual([
      [0, 1, 2],
      [10, 11, 12],
    ]);
    expect(ys.arraySync()).toEqual([
      [[1], [2], [3]],
      [[11], [12], [13]],
    ]);
    dispose([xs, ys]);
  });

  it('come in epochs, and go on where a state says', async () => {
    const samples = new Numbers(11);
    const batches = new SampleBatches({source: batchesOf(samples, 2)});
    const dataset = batches.dataset(2, 5);
    expect(await drain(dataset)).toEqual([
      [0, 10],
      [20, 30],
    ]);
    expect(batches.state).toEqual({position: 4});
    expect(await drain(dataset)).toEqual([
      [40, 50],
      [60, 70],
    ]);
    const resumed = new SampleBatches({source: batchesOf(samples, 2)}, {position: 6});
    expect(await drain(resumed.dataset(2, 5, 3))).toEqual([[60, 70]]);
    expect(await drain(resumed.dataset(2, 5, 4))).toEqual([[80, 90]]);
  });

  it('are training data from a sample on', async () => {
    const data = await sampleData({source: batchesOf(new Numbers(7), 2)})(2);
    const firsts: number[] = [];
    for (let item = await data.next(); !item.done; item = await data.next()) {
      firsts.push(...item.value.xs.arraySync().map(([first]) => first));
      dispose([item.value.xs, item.value.ys]);
    }
    expect(firsts).toEqual([20, 30, 40, 50]);
  });

  it('are data to validate on, the same each time', async () => {
    const data = evaluationData({source: batchesOf(new Numbers(7), 2)}, 2);
    expect(data.size).toBe(2);
    for (let pass = 0; pass < 2; pass++) {
      const iterator = await data.iterator();
      const firsts: number[] = [];
      for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
        firsts.push(...item.value.xs.arraySync().map(([first]) => first));
        dispose([item.value.xs, item.value.ys]);
      }
      expect(firsts).toEqual([0, 10, 20, 30]);
    }
    expect(evaluationData({source: batchesOf(new Numbers(7), 2)}).size).toBe(3);
  });

  it('are read ahead, each once', async () => {
    const samples = new Numbers(12);
    const batches = new SampleBatches({source: batchesOf(samples, 2), prefetch: 3});
    await drain(batches.dataset(1, 6));
    expect(samples.reads).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await drain(batches.dataset(6, 6, 1));
    expect(samples.reads).toEqual(Array.from({length: 12}, (_, i) => i));
  });

  it('of the first samples are the same each time, and leave the state', async () => {
    const batches = new SampleBatches({source: batchesOf(new Numbers(7), 2)});
    const first = batches.first(2);
    const expected = [
      [0, 10],
      [20, 30],
    ];
    expect(await drain(first)).toEqual(expected);
    expect(await drain(first)).toEqual(expected);
    expect((await drain(batches.first())).length).toBe(3);
    expect(batches.state).toEqual({position: 0});
  });

  it('train a model, and leave nothing behind', async () => {
    const x = input({shape: [3], dtype: 'int32'});
    const embedded = layers.embedding({inputDim: 100, outputDim: 4}).apply(x);
    const net = model({inputs: x, outputs: layers.dense({units: 1}).apply(embedded) as never});
    net.compile({optimizer: train.sgd(0.001), loss: 'meanSquaredError'});
    const before = memory().numTensors;
    const batches = new SampleBatches({source: batchesOf(new Numbers(8), 2)});
    const {history} = await net.fitDataset(batches.dataset(2, 4), {
      epochs: 2,
      validationData: batches.first(1) as never,
      verbose: 0,
    });
    expect(history.val_loss.length).toBe(2);
    expect(batches.state).toEqual({position: 8});
    expect(memory().numTensors - before).toBeLessThanOrEqual(1); // The optimizer's step count.
    net.dispose();
  });

  it('refuse ids outside of the vocabulary', async () => {
    const batches = new SampleBatches({source: batchesOf(new Numbers(6), 2), vocabSize: 34});
    await expect(drain(batches.dataset(9, 9))).rejects.toThrow(
      "data: the ids of 'numbers' must be from 0 to 33, those of the vocabulary, got 40",
    );
    expect(batches.state).toEqual({position: 4});
  });

  it('refuse what does not fill one, and end', async () => {
    expect(() => new SampleBatches({source: batchesOf(new Numbers(1), 2)})).toThrow(
      "data: 'numbers' must have the samples of a batch, 2, got 1",
    );
    const source = batchesOf(new Numbers(2), 2);
    expect(() => evaluationData({source}, 0)).toThrow(
      'evaluationData: maxBatches must be an integer of at least 1, got 0',
    );
    expect(() => new SampleBatches({source, prefetch: -1})).toThrow(
      'SampleBatches: prefetch must be an integer of at least 0, got -1',
    );
    const batches = new SampleBatches({source});
    expect(() => batches.first(0.5)).toThrow(
      'SampleBatches: maxBatches must be an integer of at least 1, got 0.5',
    );
    await expect(drain(batches.dataset(2, 2))).rejects.toThrow(
      "data: 'numbers' must have more than 1 batches, got no more",
    );
  });
});
