import {
  SparseSoftmaxCrossEntropyGrad,
  type SparseSoftmaxCrossEntropyGradInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const sparseSoftmaxCrossEntropyGradConfig = tensorflowKernel<
  SparseSoftmaxCrossEntropyGradInputs,
  object
>(SparseSoftmaxCrossEntropyGrad, {
  inputs: ['logits', 'labels', 'logSums', 'dy'],
});
