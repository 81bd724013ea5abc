import {ReplicateGrad, type ReplicateGradAttrs, type ReplicateGradInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const replicateGradConfig = tensorflowKernel<ReplicateGradInputs, ReplicateGradAttrs>(
  ReplicateGrad,
  {
    inputs: ['dy', 'bins'],
  },
);
