import {type Dataset, generator} from '@tensorflow/tfjs-data';
import {assertLimit} from '../../src/asserts';
import {BatchQueue, type SampleBatch} from './batch_queue';

/**
 * Batches of samples in their order, as data sets of tf.data for `fitDataset` and `evaluateDataset`. The
 * next ones are asked for before they are taken: a source in a thread of its own reads them while a model
 * trains on this one.
 */
export class SampleBatches extends BatchQueue {
  /**
   * The batches from `state` on: an epoch ends after each step that is a multiple of `stepsPerEpoch`,
   * and after step `lastStep`.
   *
   * @param firstStep How many steps came before.
   */
  dataset(stepsPerEpoch: number, lastStep: number, firstStep = 0): Dataset<SampleBatch> {
    const before = firstStep - this.taken;
    return generator<SampleBatch>(() => {
      const step = before + this.taken;
      const end = Math.min(lastStep, (Math.floor(step / stepsPerEpoch) + 1) * stepsPerEpoch);
      return this.generate(end - step);
    });
  }

  /** The first batches, the same ones each time; `state` stays as it is. */
  first(maxBatches = Infinity): Dataset<SampleBatch> {
    assertLimit('SampleBatches', 'maxBatches', maxBatches);
    const count = Math.min(maxBatches, this.numBatches);
    return generator<SampleBatch>(() => new BatchQueue(this.config).generate(count));
  }
}
