import {
  type ExpertsAttrs,
  GROUPED_MLP_INPUTS,
  GroupedMlp,
  type GroupedMlpInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const groupedMlpConfig = tensorflowKernel<GroupedMlpInputs, ExpertsAttrs>(GroupedMlp, {
  inputs: [...GROUPED_MLP_INPUTS],
  attrs: {activation: 'string', topK: 'int'},
  multiplies: true,
  numOutputs: 2,
});
