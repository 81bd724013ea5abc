import * as tf from '@tensorflow/tfjs';
import {groupedMatMul} from '../src/index';
import type {Benchmark, Comparison} from './harness';
import {randomRouting} from './routing';

const [T, H, F] = [2048, 256, 1024];

function randomMatrix(rows: number, columns: number): tf.Tensor2D {
  return tf.randomNormal<tf.Rank.R2>([rows, columns], 0, 1, 'float32', 1);
}

function randomExperts(numExperts: number): tf.Tensor3D {
  return tf.randomNormal<tf.Rank.R3>([numExperts, H, F], 0, 1, 'float32', 2);
}

// The baseline of each form is the dense product of the same operations without transposes, at which
// tfjs is best; the transposed product, with which it trains, stands beside it.

function product(): Comparison {
  const E = 8;
  const {bins} = randomRouting(T, E);
  const x = randomMatrix(T, H);
  const w = randomExperts(E);
  const dense = randomMatrix(H, F);
  return {
    title: 'product',
    shapes: {T, H, F, E},
    flops: 2 * T * H * F,
    highlights: ['groupedMatMul'],
    contenders: {
      'tf.matMul': () => tf.matMul(x, dense),
      groupedMatMul: () => groupedMatMul(x, w, bins),
    },
  };
}

function rowGradient(): Comparison {
  const E = 8;
  const {bins} = randomRouting(T, E);
  const dy = randomMatrix(T, F);
  const w = randomExperts(E);
  const dense = randomMatrix(H, F);
  const denseT = randomMatrix(F, H);
  return {
    title: 'gradient for the rows',
    shapes: {T, H, F, E},
    flops: 2 * T * H * F,
    highlights: ['groupedMatMul, transposeB'],
    contenders: {
      'tf.matMul': () => tf.matMul(dy, denseT),
      'groupedMatMul, transposeB': () => groupedMatMul(dy, w, bins, {transposeB: true}),
      'tf.matMul, transposeB': () => tf.matMul(dy, dense, false, true),
    },
  };
}

function weightGradient(): Comparison {
  const E = 8;
  const {bins} = randomRouting(T, E);
  const x = randomMatrix(T, H);
  const xT = randomMatrix(H, T);
  const dy = randomMatrix(T, F);
  return {
    title: 'gradient for the matrices',
    shapes: {T, H, F, E},
    flops: 2 * T * H * F,
    highlights: ['groupedMatMul, transposeA'],
    contenders: {
      'tf.matMul': () => tf.matMul(xT, dy),
      'groupedMatMul, transposeA': () => groupedMatMul(x, dy, bins, {transposeA: true}),
      'tf.matMul, transposeA': () => tf.matMul(x, dy, true, false),
    },
  };
}

function numbersOfExperts(): Comparison {
  const x = randomMatrix(T, H);
  const dense = randomMatrix(H, F);
  const grouped = [8, 16, 32, 64].map((E) => {
    const {bins} = randomRouting(T, E);
    const w = randomExperts(E);
    return [`groupedMatMul, E ${E}`, () => groupedMatMul(x, w, bins)] as const;
  });
  return {
    title: 'product by number of experts',
    shapes: {T, H, F},
    flops: 2 * T * H * F,
    contenders: {'tf.matMul': () => tf.matMul(x, dense), ...Object.fromEntries(grouped)},
  };
}

export const benchmark: Benchmark = {
  name: 'grouped_matmul',
  description: 'groupedMatMul, randomly routed, beside tf.matMul of the same FLOPs',
  comparisons: [product, rowGradient, weightGradient, numbersOfExperts],
};
