import * as tf from '@tensorflow/tfjs';
import {random} from './random';

// Routing worked out plainly, from the definitions, for tests to compare with.

export interface Routing {
  /** The expert of each copy (token * topK + j), and so on, as the ops take them. */
  experts: number[];
  topK: number;
  numExperts: number;
  tokensPerExpert: number[];
  bins: number[];
  /** The copies in expert order. */
  indices: number[];
  binIds: number[];
}

/** The routing of given experts. */
export function routingOf(experts: number[], numExperts: number, topK: number): Routing {
  const copiesOf = Array.from({length: numExperts}, (_, expert) =>
    experts.flatMap((e, copy) => (e === expert ? [copy] : [])),
  );
  const tokensPerExpert = copiesOf.map((copies) => copies.length);
  const indices = copiesOf.flat();
  return {
    experts,
    topK,
    numExperts,
    tokensPerExpert,
    bins: sums(tokensPerExpert),
    indices,
    binIds: indices.map((copy) => experts[copy]),
  };
}

/** A random routing; the experts of a token may repeat. */
export function randomRouting(
  {tokens, numExperts, topK}: {tokens: number; numExperts: number; topK: number},
  seed = 1,
): Routing {
  return routingOf(randomInts(tokens * topK, 0, numExperts, seed), numExperts, topK);
}

/** Integers from `min` up to `max`, exclusive. */
export function randomInts(size: number, min: number, max: number, seed: number): number[] {
  return Array.from(random(size, seed), (x) => Math.floor(min + ((x + 1) / 2) * (max - min)));
}

/** Inclusive sums. */
export function sums(values: number[]): number[] {
  let sum = 0;
  return values.map((value) => (sum += value));
}

/** Where each expert's rows end when padded to a multiple of the block size. */
export function paddedEnds({tokensPerExpert}: Routing, blockSize: number): number[] {
  return sums(tokensPerExpert.map((count) => Math.ceil(count / blockSize) * blockSize));
}

/** The copy in each row of the padded layout, -1 for padding, up to the last bin. */
export function paddedCopies(routing: Routing, blockSize: number): number[] {
  return copiesByExpert(routing).flatMap((copies) => [
    ...copies,
    ...repeat(-1, Math.ceil(copies.length / blockSize) * blockSize - copies.length),
  ]);
}

/** The copy in each row of the binned layout, -1 for none. */
export function binnedCopies(routing: Routing, binSize: number): number[] {
  return copiesByExpert(routing).flatMap((copies) => [
    ...copies.slice(0, binSize),
    ...repeat(-1, Math.max(0, binSize - copies.length)),
  ]);
}

export function repeat(value: number, count: number): number[] {
  return Array.from({length: count}, () => value);
}

function copiesByExpert({bins, indices}: Routing): number[][] {
  return bins.map((end, expert) => indices.slice(bins[expert - 1] ?? 0, end));
}

/** The index of a routing as tensors. */
export function toTensors({indices, binIds, bins}: Routing) {
  return {
    indices: tf.tensor1d(indices, 'int32'),
    binIds: tf.tensor1d(binIds, 'int32'),
    bins: tf.tensor1d(bins, 'int32'),
  };
}
