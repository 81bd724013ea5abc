import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../../kernel_names';
import {groupedMatMul, groupedMatMulShape} from '../shared/GroupedMatMul_impl';
import {withMatMul} from './mat_mul';
import {ints, makeOutput} from './wasm_util';

export const groupedMatMulConfig = kernelConfig<
  GroupedMatMulInputs,
  GroupedMatMulAttrs,
  BackendWasm
>(GroupedMatMul, 'wasm', ({inputs: {a, b, bins}, attrs, backend}) => {
  const out = makeOutput(
    backend,
    groupedMatMulShape(a.shape, b.shape, bins.shape[0], attrs),
    'float32',
  );
  withMatMul(backend, a, b, out, (matMul) =>
    groupedMatMul(a.shape, b.shape, ints(backend, bins), attrs, matMul),
  );
  return out;
});
