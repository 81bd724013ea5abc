import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {
  SparseSoftmaxCrossEntropyGrad,
  type SparseSoftmaxCrossEntropyGradInputs,
} from '../../kernel_names';
import {crossEntropyFactors, subtractAtLabels} from '../shared/SparseSoftmaxCrossEntropy_impl';
import {floats, ints} from './cpu_util';

export const sparseSoftmaxCrossEntropyGradConfig = kernelConfig<
  SparseSoftmaxCrossEntropyGradInputs,
  object,
  MathBackendCPU
>(SparseSoftmaxCrossEntropyGrad, 'cpu', ({inputs, backend}) => {
  const [numRows, vocabSize] = inputs.logits.shape;
  const logits = floats(backend, inputs.logits);
  const labels = ints(backend, inputs.labels);
  const logSums = floats(backend, inputs.logSums);
  const factors = new Float32Array(numRows);
  crossEntropyFactors(vocabSize, labels, floats(backend, inputs.dy), factors);
  const out = new Float32Array(logits.length);
  for (let i = 0, row = 0; row < numRows; row++) {
    for (const end = i + vocabSize; i < end; i++) {
      out[i] = factors[row] * Math.exp(logits[i] - logSums[row]);
    }
  }
  subtractAtLabels(labels, factors, out);
  return backend.makeTensorInfo([numRows, vocabSize], 'float32', out);
});
