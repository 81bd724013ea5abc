import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {groupsTimesMatrices, productsOfGroups} from './grouped_matmul';
import {runMatMul} from './matmul';
import {makeOutput} from './program';

export const groupedMatMulConfig = kernelConfig<
  GroupedMatMulInputs,
  GroupedMatMulAttrs,
  WebGPUBackend
>(GroupedMatMul, 'webgpu', ({inputs: {a, b, bins}, attrs, backend}) => {
  const {transposeA, transposeB, precision} = attrs;
  const y = makeOutput(backend, groupedMatMulShape(a.shape, b.shape, bins.shape[0], attrs));
  const product = transposeA
    ? productsOfGroups(GroupedMatMul, {a, b, bins, y})
    : groupsTimesMatrices(GroupedMatMul, {a, b, bins, y, transposeB});
  runMatMul(backend, {...product, precision});
  return y;
});
