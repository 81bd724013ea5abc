import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  PermutedMatMul,
  type PermutedMatMulAttrs,
  type PermutedMatMulInputs,
} from '../../kernel_names';
import {groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {groupsTimesMatrices, productsOfGroups} from './grouped_matmul';
import {runMatMul} from './matmul';
import {makeOutput} from './program';

/** GroupedMatMul that gathers on the way in or scatters on the way out. */
export const permutedMatMulConfig = kernelConfig<
  PermutedMatMulInputs,
  PermutedMatMulAttrs,
  WebGPUBackend
>(PermutedMatMul, 'webgpu', ({inputs: {a, b, bins, indices, weights}, attrs, backend}) => {
  const {transposeA, transposeB, permute, topK, precision} = attrs;
  const numRows = indices.shape[0];
  const aShape = [numRows, a.shape[1]];
  const y = makeOutput(backend, groupedMatMulShape(aShape, b.shape, bins.shape[0], attrs));
  const gather = {indices, topK};
  const product = transposeA
    ? productsOfGroups(PermutedMatMul, {a, b, bins, y, gatherB: gather})
    : groupsTimesMatrices(PermutedMatMul, {
        a,
        b,
        bins,
        y,
        transposeB,
        gatherA: permute === 'a' ? gather : undefined,
        scatter: permute === 'result' ? {indices, weights} : undefined,
      });
  runMatMul(backend, {...product, precision});
  return y;
});
