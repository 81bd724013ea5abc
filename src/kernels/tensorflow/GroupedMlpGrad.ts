import {
  type ExpertsAttrs,
  GROUPED_MLP_INPUTS,
  GroupedMlpGrad,
  type GroupedMlpGradInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const groupedMlpGradConfig = tensorflowKernel<GroupedMlpGradInputs, ExpertsAttrs>(
  GroupedMlpGrad,
  {
    inputs: ['dy', ...GROUPED_MLP_INPUTS, 'saved'],
    attrs: {activation: 'string', topK: 'int'},
    multiplies: true,
    numOutputs: 4,
  },
);
