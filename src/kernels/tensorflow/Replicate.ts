import {Replicate, type ReplicateAttrs, type ReplicateInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const replicateConfig = tensorflowKernel<ReplicateInputs, ReplicateAttrs>(Replicate, {
  inputs: ['x', 'bins'],
  attrs: {numOutputs: 'int'},
});
