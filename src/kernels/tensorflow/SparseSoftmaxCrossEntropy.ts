import {SparseSoftmaxCrossEntropy, type SparseSoftmaxCrossEntropyInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const sparseSoftmaxCrossEntropyConfig = tensorflowKernel<
  SparseSoftmaxCrossEntropyInputs,
  object
>(SparseSoftmaxCrossEntropy, {
  inputs: ['logits', 'labels'],
  numOutputs: 2,
});
