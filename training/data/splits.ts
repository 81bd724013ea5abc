import {assert} from '../../src/asserts';

/** The parts of a data set. */
export const SPLITS = ['train', 'valid', 'test'] as const;
export type Split = (typeof SPLITS)[number];

/** The sequences of each part, from the first to before the last; undefined where there is none. */
export type SplitRanges = Record<Split, {begin: number; end: number} | undefined>;

/**
 * Divides sequences by a text such as `'969,30,1'`: the proportions of training, validation and test.
 * Numbers that are left out are 0.
 *
 * @throws If the text is anything else.
 * @see megatron.core.datasets.blended_megatron_dataset_config
 */
export function splitRanges(split: string, numSequences: number): SplitRanges {
  const parts = split.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  const sum = parts.reduce((total, part) => total + part, 0);
  assert(
    parts.length <= SPLITS.length &&
      parts.every((part) => part >= 0) &&
      Number.isFinite(sum) &&
      sum > 0,
    () =>
      `data: split must be proportions of ${SPLITS.join(', ')} such as '969,30,1', got '${split}'`,
  );
  let end = 0;
  const ranges = SPLITS.map((_, i) => {
    const begin = end;
    end += (parts[i] ?? 0) / sum;
    return end <= begin
      ? undefined
      : {begin: roundHalfToEven(begin * numSequences), end: roundHalfToEven(end * numSequences)};
  });
  return Object.fromEntries(SPLITS.map((name, i) => [name, ranges[i]])) as SplitRanges;
}

/** Python's round. */
function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  return x - floor === 0.5 ? floor + (floor % 2) : Math.round(x);
}
