import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {SparseSoftmaxCrossEntropy, type SparseSoftmaxCrossEntropyInputs} from '../../kernel_names';
import {crossEntropyLosses} from '../shared/SparseSoftmaxCrossEntropy_impl';
import {floats, ints} from './cpu_util';

export const sparseSoftmaxCrossEntropyConfig = kernelConfig<
  SparseSoftmaxCrossEntropyInputs,
  object,
  MathBackendCPU
>(SparseSoftmaxCrossEntropy, 'cpu', ({inputs: {logits, labels}, backend}) => {
  const [numRows, vocabSize] = logits.shape;
  const values = floats(backend, logits);
  const [sums, largest] = [new Float32Array(numRows), new Float32Array(numRows)];
  for (let row = 0; row < numRows; row++) {
    const line = values.subarray(row * vocabSize, (row + 1) * vocabSize);
    const max = line.reduce((x, y) => Math.max(x, y), -Infinity);
    largest[row] = max;
    sums[row] = line.reduce((sum, x) => sum + Math.exp(x - max), 0);
  }
  const [losses, logSums] = [new Float32Array(numRows), new Float32Array(numRows)];
  crossEntropyLosses(values, ints(backend, labels), sums, largest, losses, logSums);
  return [losses, logSums].map((values) => backend.makeTensorInfo([numRows], 'float32', values));
});
