import {randomWindows, validationBatches} from '../training/batches';
import {StepsDataset} from '../training/steps_dataset';
import type {Batch, BatchDataset} from '../training/training_data';
import {describeEachBackend} from './backends';

const ids = Int32Array.from({length: 103}, (_, i) => i);
const config = {ids, batchSize: 3, sequenceLength: 5, seed: 1};

function values({xs, ys}: Batch): {xs: number[][]; ys: number[][][]} {
  const result = {xs: xs.arraySync(), ys: ys.arraySync()};
  xs.dispose();
  ys.dispose();
  return result;
}

/** The first ids of the windows of a number of batches. */
async function starts(count: number, change: object = {}, firstSample = 0): Promise<number[]> {
  const batches = await randomWindows({...config, ...change})(firstSample);
  const drawn: number[] = [];
  for (let i = 0; i < count; i++) {
    drawn.push(...values((await batches.next()).value).xs.map(([first]) => first));
  }
  return drawn;
}

async function drain(dataset: BatchDataset): Promise<Batch[]> {
  const iterator = await dataset.iterator();
  const result: Batch[] = [];
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
    result.push(item.value);
  }
  return result;
}

describeEachBackend('random windows', () => {
  it('are windows and what follows them', async () => {
    const {value: batch} = await (await randomWindows(config)(0)).next();
    expect(batch.xs.shape).toEqual([3, 5]);
    expect(batch.ys.shape).toEqual([3, 5, 1]);
    expect([batch.xs.dtype, batch.ys.dtype]).toEqual(['int32', 'int32']);
    const {xs, ys} = values(batch);
    xs.forEach((window, i) => {
      expect(window).toEqual(window.map((_, t) => window[0] + t));
      expect(ys[i].flat()).toEqual(window.map((id) => id + 1));
    });
  });

  it('use every window once before any is used again, cut anew each time', async () => {
    // 103 ids have 19 whole windows wherever the cut begins; 19 batches of 3 are 3 epochs.
    const drawn = await starts(19);
    const epochs = [0, 1, 2].map((epoch) => drawn.slice(19 * epoch, 19 * epoch + 19));
    for (const epoch of epochs) {
      expect(new Set(epoch).size).toBe(19);
      expect(new Set(epoch.map((start) => start % 5)).size).toBe(1);
    }
    expect(epochs[1]).not.toEqual(epochs[0]);
  });

  it('depend on the seed alone', async () => {
    expect(await starts(10)).toEqual(await starts(10));
    expect(await starts(10, {seed: 2})).not.toEqual(await starts(10));
  });

  it.each([0, 1, 6, 20, 77])('go on exactly after %d samples', async (samples) => {
    const all = await starts(40);
    expect(await starts(10, {}, samples)).toEqual(all.slice(samples, samples + 30));
  });

  it('refuse too little text and bad sizes', () => {
    const make = (change: object) => () => randomWindows({...config, ...change});
    expect(make({ids: ids.subarray(0, 9)})).toThrow(
      'randomWindows: ids must be at least 10, two windows of 5, got 9',
    );
    expect(make({batchSize: 0})).toThrow(
      'randomWindows: batchSize must be an integer of at least 1, got 0',
    );
    expect(make({sequenceLength: 1.5})).toThrow(
      'randomWindows: sequenceLength must be an integer of at least 1, got 1.5',
    );
  });
});

describeEachBackend('the data set of a number of steps', () => {
  const steps = {microBatches: 2, stepsPerEpoch: 4, lastStep: 10, firstStep: 2, firstSample: 12};

  it('ends an epoch of fitDataset where validation is due, and counts', async () => {
    const dataset = new StepsDataset({...steps, data: randomWindows(config)});
    expect(dataset.size).toBe(16);
    const lengths = [];
    for (let i = 0; i < 4; i++) {
      const epoch = await drain(dataset);
      lengths.push(epoch.length);
      epoch.forEach(values);
    }
    expect(lengths).toEqual([4, 8, 4, 0]);
    expect([dataset.samples, dataset.tokens]).toEqual([12 + 16 * 3, 16 * 15]);
  });

  it('begins where the run is, once', async () => {
    const begun: number[] = [];
    const data = (firstSample: number) => {
      begun.push(firstSample);
      return randomWindows(config)(firstSample);
    };
    const dataset = new StepsDataset({...steps, data});
    await dataset.iterator();
    expect(begun).toEqual([]);
    (await drain(dataset)).forEach(values);
    (await drain(dataset)).forEach(values);
    expect(begun).toEqual([12]);
  });

  it('says where the data ends too early', async () => {
    const data = async () => ({next: async () => ({value: undefined, done: true as const})});
    const dataset = new StepsDataset({...steps, data});
    await expect(drain(dataset)).rejects.toThrow(
      'training data: must go on after sample 12, got its end',
    );
  });
});

describeEachBackend('validation batches', () => {
  it('are the text in order, in whole batches', async () => {
    const dataset = validationBatches(config);
    for (const pass of [1, 2]) {
      const batches = (await drain(dataset)).map(values);
      expect({pass, batches: batches.length}).toEqual({pass, batches: 6});
      expect(batches[0].xs[0]).toEqual([0, 1, 2, 3, 4]);
      expect(batches.every(({xs}) => xs.length === 3)).toBe(true);
      const used = batches.flatMap(({xs}) => xs.flat());
      expect(new Set(used).size).toBe(6 * 3 * 5);
    }
  });

  it('are spread over the text where there are fewer', async () => {
    const batches = (await drain(validationBatches(config, 2))).map(values);
    expect(batches.flatMap(({xs}) => xs.map(([first]) => first))).toEqual([0, 15, 30, 50, 65, 80]);
  });

  it('refuse less text than a batch', () => {
    expect(() => validationBatches({...config, ids: ids.subarray(0, 15)})).toThrow(
      'validationBatches: ids must fill a batch, 16, got 15',
    );
    expect(() => validationBatches(config, 0)).toThrow(
      'validationBatches: maxBatches must be an integer of at least 1, got 0',
    );
  });
});
