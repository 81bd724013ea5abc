import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {AssignExperts, type AssignExpertsAttrs, type AssignExpertsInputs} from '../../kernel_names';
import {fill} from './fill';
import {countValues} from './Histogram';
import {makeOutput} from './program';
import {radixSort, sortsInOnePass} from './radix_sort';
import {sumRows} from './row_sums';

/** A sort, which counts each expert's copies anyway. */
export const assignExpertsConfig = kernelConfig<
  AssignExpertsInputs,
  AssignExpertsAttrs,
  WebGPUBackend
>(AssignExperts, 'webgpu', ({inputs: {experts}, attrs: {numExperts, endBit}, backend}) => {
  if (!sortsInOnePass(numExperts)) {
    const {keys: binIds, indices} = radixSort(backend, AssignExperts, experts, endBit);
    const tokensPerExpert = countValues(backend, experts, numExperts);
    const bins = makeOutput(backend, [numExperts], 'int32');
    sumRows(backend, {name: AssignExperts, x: tokensPerExpert, y: bins, exclusive: false});
    return [indices, binIds, tokensPerExpert, bins];
  }
  const counts = makeOutput(backend, [numExperts], 'int32');
  const bins = makeOutput(backend, [numExperts], 'int32');
  if (experts.shape[0] === 0) {
    [counts, bins].forEach((y) => fill(backend, AssignExperts, y, 0));
  }
  const {keys: binIds, indices} = radixSort(backend, AssignExperts, experts, endBit, {
    bins: {counts, bins},
  });
  return [indices, binIds, counts, bins];
});
