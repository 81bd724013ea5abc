import * as tf from '@tensorflow/tfjs';
import {
  binnedGather,
  binnedScatter,
  exclusiveCumsum,
  gather,
  histogram,
  inclusiveCumsum,
  paddedBins,
  paddedGather,
  paddedRowCount,
  paddedScatter,
  roundUp,
  scatter,
  sort,
  topology,
} from '../src/index';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {readGolden} from './safetensors';

// What MegaBlocks' own ops return. Rows that are only copied must be equal, sums close to it.
const EXACT = 0;
const CLOSE = 1e-5;

describeEachBackend('goldens of MegaBlocks', () => {
  describe.each(['ops_1', 'ops_2', 'ops_3'])('%s', (file) => {
    const {tensors, args} = readGolden(file);
    const {
      tokens,
      hidden_size: hiddenSize,
      num_experts: numExperts,
      top_k: topK,
      bin_size: binSize,
      block_size: blockSize,
      topology_blocks_per_row: blocksPerRow,
    } = args as Record<string, number>;
    const numCopies = tokens * topK;

    const golden = <T extends tf.Tensor>(name: string): T => {
      const {values, shape} = tensors[name];
      return tf.tensor<tf.Rank>(
        values,
        shape,
        values instanceof Int32Array ? 'int32' : 'float32',
      ) as T;
    };
    const ids = () => ({
      indices: golden<tf.Tensor1D>('indices'),
      binIds: golden<tf.Tensor1D>('bin_ids'),
      bins: golden<tf.Tensor1D>('bins'),
      padded: golden<tf.Tensor1D>('padded_bins'),
    });

    /** Compares a tensor with a golden; rows that ours has beyond the golden's must be zero. */
    const expectGolden = (actual: tf.Tensor, name: string, tolerance: number) => {
      const wanted = golden(name);
      const extra = actual.shape[0] - wanted.shape[0];
      const padding = wanted.shape.map((_, axis): [number, number] => [0, axis === 0 ? extra : 0]);
      expectClose(actual, extra > 0 ? tf.pad(wanted, padding) : wanted, {tolerance, name});
    };

    /** A golden with rows of zeros up to the static bound. */
    const padded = (name: string): tf.Tensor2D => {
      const rows = golden<tf.Tensor2D>(name);
      const bound = paddedRowCount(numCopies, numExperts, blockSize);
      return tf.pad2d(rows, [
        [0, bound - rows.shape[0]],
        [0, 0],
      ]);
    };

    const inTidy = (f: () => void) => () => void tf.tidy(f);

    test(
      'routing metadata',
      inTidy(() => {
        const [binIds, indices] = sort(golden<tf.Tensor1D>('top_experts'));
        expectGolden(binIds, 'bin_ids', EXACT);
        expectGolden(indices, 'indices', EXACT);
        const counts = histogram(golden<tf.Tensor1D>('top_experts'), numExperts);
        expectGolden(counts, 'tokens_per_expert', EXACT);
        expectGolden(inclusiveCumsum(counts), 'bins', EXACT);
        expectGolden(exclusiveCumsum(counts), 'exclusive_bins', EXACT);
        expectGolden(roundUp(counts, blockSize), 'padded_tokens_per_expert', EXACT);
        expectGolden(paddedBins(counts, blockSize), 'padded_bins', EXACT);
      }),
    );

    test(
      'topology',
      inTidy(() => {
        const blockRows = tensors.topology.shape[0] / blocksPerRow;
        const columns = topology(ids().padded, blockSize, blockRows, blocksPerRow);
        expectGolden(columns, 'topology', EXACT);
      }),
    );

    test(
      'gather',
      inTidy(() => {
        const {indices, binIds, bins} = ids();
        const f = (x: tf.Tensor) => gather(x as tf.Tensor2D, indices, binIds, bins, topK);
        expectGolden(f(golden('x')), 'gather.y', EXACT);
        expectGolden(tf.grad(f)(golden('x'), golden('gather.dy')), 'gather.dx', CLOSE);
      }),
    );

    test(
      'paddedGather',
      inTidy(() => {
        const {indices, binIds, bins, padded: ends} = ids();
        const f = (x: tf.Tensor) =>
          paddedGather(x as tf.Tensor2D, indices, binIds, bins, ends, topK);
        const y = f(golden('x'));
        expect(y.shape).toEqual([paddedRowCount(numCopies, numExperts, 128), hiddenSize]);
        expectGolden(y, 'padded_gather.y', EXACT);
        const dx = tf.grad(f)(golden('x'), padded('padded_gather.dy'));
        expectGolden(dx, 'padded_gather.dx', CLOSE);
      }),
    );

    test(
      'binnedGather',
      inTidy(() => {
        const {indices, bins} = ids();
        const f = (x: tf.Tensor) => binnedGather(x as tf.Tensor2D, indices, bins, binSize, topK);
        expectGolden(f(golden('x')), 'binned_gather.y', EXACT);
        const dx = tf.grad(f)(golden('x'), golden('binned_gather.dy'));
        expectGolden(dx, 'binned_gather.dx', CLOSE);
      }),
    );

    test(
      'scatter',
      inTidy(() => {
        const {indices, binIds, bins} = ids();
        const f = (x: tf.Tensor, weights: tf.Tensor) =>
          scatter(x as tf.Tensor2D, indices, binIds, weights as tf.Tensor1D, bins, topK);
        const inputs: [tf.Tensor2D, tf.Tensor1D] = [golden('scatter.x'), golden('weights')];
        expectGolden(f(...inputs), 'scatter.y', CLOSE);
        const [dx, dweights] = tf.grads(f)(inputs, golden('scatter.dy'));
        expectGolden(dx, 'scatter.dx', CLOSE);
        expectGolden(dweights, 'scatter.dweights', CLOSE);
      }),
    );

    test(
      'paddedScatter',
      inTidy(() => {
        const {indices, binIds, bins, padded: ends} = ids();
        const f = (x: tf.Tensor, weights: tf.Tensor) =>
          paddedScatter(
            x as tf.Tensor2D,
            indices,
            binIds,
            weights as tf.Tensor1D,
            bins,
            ends,
            topK,
          );
        const inputs: [tf.Tensor2D, tf.Tensor1D] = [padded('padded_scatter.x'), golden('weights')];
        expectGolden(f(...inputs), 'padded_scatter.y', CLOSE);
        const [dx, dweights] = tf.grads(f)(inputs, golden('padded_scatter.dy'));
        expectGolden(dx, 'padded_scatter.dx', CLOSE);
        expectGolden(dweights, 'padded_scatter.dweights', CLOSE);
      }),
    );

    test(
      'binnedScatter',
      inTidy(() => {
        const {indices, bins} = ids();
        const f = (x: tf.Tensor, weights: tf.Tensor) =>
          binnedScatter(x as tf.Tensor3D, indices, weights as tf.Tensor1D, bins, topK);
        const inputs: [tf.Tensor3D, tf.Tensor1D] = [golden('binned_scatter.x'), golden('weights')];
        expectGolden(f(...inputs), 'binned_scatter.y', CLOSE);
        const [dx, dweights] = tf.grads(f)(inputs, golden('binned_scatter.dy'));
        expectGolden(dx, 'binned_scatter.dx', CLOSE);
        expectGolden(dweights, 'binned_scatter.dweights', CLOSE);
      }),
    );
  });
});
