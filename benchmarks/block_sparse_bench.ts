import * as tf from '@tensorflow/tfjs';
import {dds, dsd, groupedMatMul, sdd, SparseTopology} from '../src/index';
import type {Benchmark, Comparison, Run} from './harness';

const [T, H, F, E, B] = [2048, 256, 1024, 8, 128];

function randomMatrix(rows: number, columns: number): tf.Tensor2D {
  return tf.randomNormal<tf.Rank.R2>([rows, columns], 0, 1, 'float32', 1);
}

/**
 * A dMoE whose experts have T / E tokens each, so that no block is padding: its tokens, the weights
 * of one matrix, and what the tokens are in the hidden layer, sparse and packed.
 */
function makeExperts() {
  const expertOfRow = (blockRow: number) => Math.floor((blockRow * B * E) / T);
  const expertOfColumn = (blockColumn: number) => Math.floor((blockColumn * B) / F);
  const topology = SparseTopology.where(
    [T, E * F],
    B,
    (row, column) => expertOfRow(row) === expertOfColumn(column),
  );
  const x = randomMatrix(T, H);
  const w = randomMatrix(E * F, H);
  return {
    topology,
    x,
    w,
    experts: tf.reshape<tf.Rank.R3>(w, [E, F, H]),
    bins: tf.tensor1d(
      Array.from({length: E}, (_, e) => ((e + 1) * T) / E),
      'int32',
    ),
    hidden: sdd(x, w, topology, {transposeB: true}),
    hiddenRows: randomMatrix(T, F),
  };
}

/** The baseline is the dense product of the same operations, [rows, inner] times [inner, columns]. */
function comparison(
  title: string,
  [rows, inner, columns]: [number, number, number],
  contenders: Record<string, Run>,
): Comparison {
  const a = randomMatrix(rows, inner);
  const b = randomMatrix(inner, columns);
  return {
    title,
    shapes: {T, H, F, E, B},
    flops: 2 * rows * inner * columns,
    contenders: {'tf.matMul': () => tf.matMul(a, b), ...contenders},
  };
}

function up(): Comparison {
  const {topology, x, w, experts, bins} = makeExperts();
  return comparison('to the hidden layer', [T, H, F], {
    'sdd, transposeB': () => sdd(x, w, topology, {transposeB: true}),
    'groupedMatMul, transposeB': () => groupedMatMul(x, experts, bins, {transposeB: true}),
  });
}

function down(): Comparison {
  const {w, experts, bins, hidden, hiddenRows} = makeExperts();
  return comparison('from the hidden layer', [T, F, H], {
    dsd: () => dsd(hidden, w),
    groupedMatMul: () => groupedMatMul(hiddenRows, experts, bins),
  });
}

function weightGradient(): Comparison {
  const {x, bins, hidden, hiddenRows} = makeExperts();
  return comparison('gradient for the weights', [F, T, H], {
    'dsd, transposed': () => dsd(hidden.t(), x),
    'groupedMatMul, transposeA': () => groupedMatMul(hiddenRows, x, bins, {transposeA: true}),
  });
}

function transposedWeightGradient(): Comparison {
  const {x, bins, hidden, hiddenRows} = makeExperts();
  return comparison('gradient for the weights, transposed', [H, T, F], {
    'dds, transposeA': () => dds(x, hidden, {transposeA: true}),
    'groupedMatMul, transposeA': () => groupedMatMul(x, hiddenRows, bins, {transposeA: true}),
  });
}

export const benchmark: Benchmark = {
  name: 'block_sparse',
  description: 'the products of a sparse dMoE beside tf.matMul of the same FLOPs',
  comparisons: [up, down, weightGradient, transposedWeightGradient],
};
