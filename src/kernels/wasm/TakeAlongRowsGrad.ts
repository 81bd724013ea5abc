import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {
  TakeAlongRowsGrad,
  type TakeAlongRowsGradAttrs,
  type TakeAlongRowsGradInputs,
} from '../../kernel_names';
import {takeAlongRowsGrad} from '../shared/TakeAlongRows_impl';
import {floats, ints, makeOutput} from './wasm_util';

export const takeAlongRowsGradConfig = kernelConfig<
  TakeAlongRowsGradInputs,
  TakeAlongRowsGradAttrs,
  BackendWasm
>(TakeAlongRowsGrad, 'wasm', ({inputs: {dy, indices}, attrs: {numColumns}, backend}) => {
  const out = makeOutput(backend, [dy.shape[0], numColumns], 'float32');
  takeAlongRowsGrad(
    floats(backend, dy),
    ints(backend, indices),
    dy.shape[1],
    numColumns,
    floats(backend, out),
  );
  return out;
});
