import {assert} from '../../src/asserts';

/** Data sets and how much of each is drawn. */
export interface Blend {
  prefixes: string[];
  /** Normalized to a sum of 1; undefined where each data set is drawn as often as it is long. */
  weights?: number[];
}

/**
 * Reads Megatron-LM's `--data-path`: one prefix, several, or several with a weight before each.
 *
 * @throws If there is none, if some have a weight and others not, or if the weights do not have a
 *     positive sum.
 * @see megatron.core.datasets.utils.get_blend_from_list
 */
export function parseDataPath(values: readonly string[]): Blend {
  assert(values.length > 0, () => 'data: --data-path must name a data set, got none');
  const isWeight = values.map((value) => value.trim() !== '' && Number.isFinite(Number(value)));
  if (!isWeight.some((is) => is)) {
    return {prefixes: [...values]};
  }
  assert(
    values.length % 2 === 0 && isWeight.every((is, i) => is === (i % 2 === 0)),
    () =>
      `data: --data-path must have a weight before every prefix or none, got ${values.join(' ')}`,
  );
  const weights = values.filter((_, i) => i % 2 === 0).map(Number);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  assert(
    weights.every((weight) => weight >= 0) && sum > 0,
    () =>
      `data: the weights of --data-path must be at least 0 and not all 0, got ${weights.join(' ')}`,
  );
  return {
    prefixes: values.filter((_, i) => i % 2 === 1),
    weights: weights.map((weight) => weight / sum),
  };
}
