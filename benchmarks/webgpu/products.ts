import * as tf from '@tensorflow/tfjs';
import {
  dds,
  dsd,
  groupedMatMul,
  inclusiveCumsum,
  histogram,
  sdd,
  sort,
  SparseTopology,
  topology,
  paddedBins,
  paddedRowCount,
  gather,
  scatter,
} from '../../src/index';
import {copy, deviceTime, finish, time, values} from './measure';

/** T tokens, H hidden size, F ffn hidden size, E experts. */
export type Shape = [T: number, H: number, F: number, E: number];

export const SHAPES: Shape[] = [
  [65536, 512, 2048, 64],
  [32768, 768, 3072, 64],
  [8192, 1024, 4096, 64],
  [8192, 4096, 16384, 4],
];

/** Rows of random experts. */
export function randomBins(T: number, E: number, seed = 1): tf.Tensor1D {
  const experts = tf.cast(tf.floor(tf.randomUniform([T], 0, E, 'float32', seed)), 'int32');
  return tf.tidy(() => inclusiveCumsum(histogram(experts as tf.Tensor1D, E)));
}

export interface Row {
  what: string;
  shape: string;
  ms: number;
  tflops?: number;
  gbps?: number;
  tokensPerSecond?: number;
}

async function row(
  what: string,
  shape: readonly number[],
  flops: number,
  run: () => unknown,
  fresh: tf.Tensor[] = [],
) {
  const ms = await time(run, fresh);
  return {what, shape: shape.join(' '), ms, tflops: flops / ms / 1e9};
}

/** The three products of a layer, forward and backward. */
export async function groupedProducts(shape: Shape, label: string): Promise<Row[]> {
  const [T, H, F, E] = shape;
  const flops = 2 * T * H * F;
  const x = values([T, H], 1) as tf.Tensor2D;
  const w = values([E, F, H], 2, 0.02) as tf.Tensor3D;
  const dy = values([T, F], 3) as tf.Tensor2D;
  const bins = randomBins(T, E);
  await finish();
  const rows = [
    await row(`${label} grouped forward`, shape, flops, () =>
      groupedMatMul(x, w, bins, {transposeB: true}),
    ),
    await row(`${label} grouped data gradient`, shape, flops, () => groupedMatMul(dy, w, bins)),
    await row(`${label} grouped weight gradient`, shape, flops, () =>
      groupedMatMul(dy, x, bins, {transposeA: true}),
    ),
  ];
  tf.dispose([x, w, dy, bins]);
  return rows;
}

/** The block-sparse products at the FLOPs of a grouped one, blocks of 128. */
export async function sparseProducts(shape: Shape, label: string): Promise<Row[]> {
  const [T, H, F, E] = shape;
  const B = 128;
  const counts = tf.tidy(() => {
    const bins = randomBins(T, E);
    return tf.sub(bins, tf.concat([tf.tensor1d([0], 'int32'), tf.slice(bins, 0, E - 1)]));
  }) as tf.Tensor1D;
  const padded = paddedBins(tf.cast(counts, 'int32') as tf.Tensor1D, B);
  const rows = paddedRowCount(T, E, B);
  const blocks = SparseTopology.from({
    shape: [rows, E * F],
    blockSize: B,
    columnIndices: topology(padded, B, rows / B, F / B),
    offsets: tf.range(0, (rows / B) * (F / B) + 1, F / B, 'int32'),
  });
  const used = (await padded.data())[E - 1];
  const flops = 2 * used * H * F;
  const x = values([rows, H], 1) as tf.Tensor2D;
  const w = values([E * F, H], 2, 0.02) as tf.Tensor2D;
  const hidden = sdd(x, w, blocks, {transposeB: true});
  const wT = values([H, E * F], 2, 0.02) as tf.Tensor2D;
  await finish();
  const result = [
    await row(`${label} sdd`, shape, flops, () => sdd(x, w, blocks, {transposeB: true}).values),
    await row(`${label} dsd`, shape, flops, () => dsd(hidden, w)),
    await row(`${label} dsd, transposed`, shape, flops, () => dsd(hidden.t(), x)),
    await row(`${label} dds`, shape, flops, () => dds(wT, hidden.t())),
  ];
  tf.dispose([x, w, wT, hidden.values, padded, counts]);
  return result;
}

export async function denseProducts(size: number, label: string): Promise<Row[]> {
  const a = values([size, size], 1) as tf.Tensor2D;
  const b = values([size, size], 2) as tf.Tensor2D;
  await finish();
  const shape = [size, size, size];
  const rows = [
    await row(`${label} matMul`, shape, 2 * size ** 3, () => tf.matMul(a, b)),
    await row(`${label} matMul, transposeB`, shape, 2 * size ** 3, () =>
      tf.matMul(a, b, false, true),
    ),
    await row(`${label} matMul, transposeA`, shape, 2 * size ** 3, () =>
      tf.matMul(a, b, true, false),
    ),
  ];
  tf.dispose([a, b]);
  return rows;
}

/** Gather and scatter beside a copy of the same bytes. */
export async function permutations(T: number, H: number, K: number): Promise<Row[]> {
  const E = 64;
  const N = T * K;
  const x = values([T, H], 1) as tf.Tensor2D;
  const rows = values([N, H], 2) as tf.Tensor2D;
  const weights = values([N], 3) as tf.Tensor1D;
  const experts = tf.cast(
    tf.floor(tf.randomUniform([N], 0, E, 'float32', 1)),
    'int32',
  ) as tf.Tensor1D;
  const [binIds, indices] = sort(experts, 6);
  const bins = inclusiveCumsum(histogram(experts, E));
  await finish();
  const shape = `${T} ${H} ${K}`;
  const of = async (what: string, bytes: number, run: () => unknown): Promise<Row> => {
    const ms = await time(run);
    return {what, shape, ms, gbps: bytes / ms / 1e6};
  };
  const result = [
    await of('copy of the device', 8 * N * H, () => copy(rows)),
    await of('gather', 4 * (T + N) * H, () => gather(x, indices, binIds, bins, K)),
    await of('scatter', 4 * (T + N) * H, () => scatter(rows, indices, binIds, weights, bins, K)),
  ];
  const routing = () => {
    const [ids] = sort(experts, 6);
    return [ids, inclusiveCumsum(histogram(experts, E))];
  };
  const what = 'routing: sort, histogram, sums';
  const shapeOfRouting = `${N} ${E}`;
  result.push(
    {what: `${what}, on the device`, shape: shapeOfRouting, ms: await deviceTime(routing)},
    {what: `${what}, with the host`, shape: shapeOfRouting, ms: await time(routing)},
  );
  tf.dispose([x, rows, weights, experts, binIds, indices, bins]);
  return result;
}
