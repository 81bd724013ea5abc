import {assert} from '../../src/asserts';
import type {Samples} from './samples';

/**
 * Samples of several data sets, each as often as its weight says: the next one always comes from the
 * data set that is furthest behind. The samples of each keep their order.
 *
 * @see megatron.core.datasets.blended_dataset.BlendedDataset
 */
export class BlendedSamples implements Samples {
  readonly name: string;
  readonly sequenceLength: number;
  /** The data set of each sample, and which of its samples it is. */
  readonly index: {dataset: Uint16Array; sample: Uint32Array};

  /**
   * @param weights Normalized: their sum is 1.
   * @throws If a data set has fewer samples than its weight asks for.
   */
  constructor(
    readonly datasets: readonly Samples[],
    weights: readonly number[],
    readonly length: number,
  ) {
    this.name = datasets.map(({name}) => name).join(', ');
    this.sequenceLength = datasets[0].sequenceLength;
    const {used, ...index} = buildBlendIndex(weights, length);
    this.index = index;
    datasets.forEach((samples, i) =>
      assert(
        used[i] <= samples.length,
        () =>
          `data: '${samples.name}' must have ${used[i]} samples for the blend, ` +
          `got ${samples.length}`,
      ),
    );
  }

  /** All samples of several data sets, evenly mixed, or the first so many of them. */
  static all(datasets: readonly Samples[], maxLength = Infinity): BlendedSamples {
    const total = datasets.reduce((sum, {length}) => sum + length, 0);
    const shares = datasets.map(({length}) => length / total);
    return new BlendedSamples(datasets, shares, Math.min(maxLength, total));
  }

  read(index: number, target: Int32Array) {
    const {dataset, sample} = this.index;
    this.datasets[dataset[index]].read(sample[index], target);
  }
}

function buildBlendIndex(weights: readonly number[], length: number) {
  const dataset = new Uint16Array(length);
  const sample = new Uint32Array(length);
  const used = new Uint32Array(weights.length);
  for (let i = 0; i < length; i++) {
    const wanted = Math.max(i, 1);
    let furthest = 0;
    for (let j = 1; j < weights.length; j++) {
      if (weights[j] * wanted - used[j] > weights[furthest] * wanted - used[furthest]) {
        furthest = j;
      }
    }
    dataset[i] = furthest;
    sample[i] = used[furthest]++;
  }
  return {dataset, sample, used};
}
