import {
  type Batch,
  type BatchDataset,
  TrainingBatches,
  validationBatches,
} from '../training/batches';
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
function starts(batches: TrainingBatches, count: number): number[] {
  return Array.from({length: count}, () =>
    values(batches.next()).xs.map(([first]) => first),
  ).flat();
}

async function drain(dataset: BatchDataset): Promise<Batch[]> {
  const iterator = await dataset.iterator();
  const result: Batch[] = [];
  for (let item = await iterator.next(); !item.done; item = await iterator.next()) {
    result.push(item.value);
  }
  return result;
}

describeEachBackend('training batches', () => {
  it('are windows and what follows them', () => {
    const batch = new TrainingBatches(config).next();
    expect(batch.xs.shape).toEqual([3, 5]);
    expect(batch.ys.shape).toEqual([3, 5, 1]);
    expect([batch.xs.dtype, batch.ys.dtype]).toEqual(['int32', 'int32']);
    const {xs, ys} = values(batch);
    xs.forEach((window, i) => {
      expect(window).toEqual(window.map((_, t) => window[0] + t));
      expect(ys[i].flat()).toEqual(window.map((id) => id + 1));
    });
  });

  it('use every window once before any is used again, cut anew each time', () => {
    // 103 ids have 19 whole windows wherever the cut begins; 19 batches of 3 are 3 epochs.
    const batches = new TrainingBatches(config);
    const drawn = starts(batches, 19);
    const epochs = [0, 1, 2].map((epoch) => drawn.slice(19 * epoch, 19 * epoch + 19));
    for (const epoch of epochs) {
      expect(new Set(epoch).size).toBe(19);
      expect(new Set(epoch.map((start) => start % 5)).size).toBe(1);
    }
    expect(epochs[1]).not.toEqual(epochs[0]);
    expect(batches.epochs).toBe(3);
  });

  it('depend on the seed alone', () => {
    const first = starts(new TrainingBatches(config), 10);
    expect(starts(new TrainingBatches(config), 10)).toEqual(first);
    expect(starts(new TrainingBatches({...config, seed: 2}), 10)).not.toEqual(first);
  });

  it.each([0, 1, 6, 7, 25])('go on exactly after %d batches', (count) => {
    const batches = new TrainingBatches(config);
    starts(batches, count);
    const {position} = JSON.parse(JSON.stringify(batches.state));
    expect(starts(new TrainingBatches(config, position), 10)).toEqual(starts(batches, 10));
  });

  it('end an epoch of fitDataset where validation is due', async () => {
    const dataset = new TrainingBatches(config).dataset(4, 10, 2);
    const lengths = [];
    for (let i = 0; i < 4; i++) {
      const epoch = await drain(dataset);
      lengths.push(epoch.length);
      epoch.forEach(values);
    }
    expect(lengths).toEqual([2, 4, 2, 0]);
  });

  it('refuse too little text and bad sizes', () => {
    const make = (change: object) => () => new TrainingBatches({...config, ...change});
    expect(make({ids: ids.subarray(0, 9)})).toThrow(
      'TrainingBatches: ids must be at least 10, two windows of 5, got 9',
    );
    expect(make({batchSize: 0})).toThrow(
      'TrainingBatches: batchSize must be an integer of at least 1, got 0',
    );
    expect(make({sequenceLength: 1.5})).toThrow(
      'TrainingBatches: sequenceLength must be an integer of at least 1, got 1.5',
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
  });
});
