import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {groupedMatMul, groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {matMul} from '../shared/mat_mul';
import {floats, ints} from './cpu_util';

export const groupedMatMulConfig = kernelConfig<
  GroupedMatMulInputs,
  GroupedMatMulAttrs,
  MathBackendCPU
>(GroupedMatMul, 'cpu', ({inputs: {a, b, bins}, attrs, backend}) => {
  const shape = groupedMatMulShape(a.shape, b.shape, bins.shape[0], attrs);
  const out = new Float32Array(shape.reduce((x, y) => x * y));
  const [aValues, bValues] = [floats(backend, a), floats(backend, b)];
  groupedMatMul(a.shape, b.shape, ints(backend, bins), attrs, (product) =>
    matMul(product, aValues, bValues, out),
  );
  return backend.makeTensorInfo(shape, 'float32', out);
});
