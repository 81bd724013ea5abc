import {TopKIndices, type TopKIndicesAttrs, type TopKIndicesInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const topKIndicesConfig = tensorflowKernel<TopKIndicesInputs, TopKIndicesAttrs>(
  TopKIndices,
  {
    inputs: ['x'],
    attrs: {k: 'int'},
  },
);
