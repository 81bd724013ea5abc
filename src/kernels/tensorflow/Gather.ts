import {Gather, type GatherAttrs, type GatherInputs, WeightedGather} from '../../kernel_names';
import {PERMUTATION_ATTRS, PERMUTATION_INDEX} from './permutation';
import {tensorflowKernel} from './tensorflow_util';

export const gatherConfig = tensorflowKernel<GatherInputs, GatherAttrs>(Gather, {
  inputs: ['x', ...PERMUTATION_INDEX],
  attrs: PERMUTATION_ATTRS,
});

export const weightedGatherConfig = tensorflowKernel<GatherInputs, GatherAttrs>(WeightedGather, {
  inputs: ['x', ...PERMUTATION_INDEX, 'weights'],
  attrs: PERMUTATION_ATTRS,
});
