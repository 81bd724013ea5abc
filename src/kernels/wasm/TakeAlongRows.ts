import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {TakeAlongRows, type TakeAlongRowsAttrs, type TakeAlongRowsInputs} from '../../kernel_names';
import {takeAlongRows} from '../shared/TakeAlongRows_impl';
import {floats, ints, makeOutput} from './wasm_util';

export const takeAlongRowsConfig = kernelConfig<
  TakeAlongRowsInputs,
  TakeAlongRowsAttrs,
  BackendWasm
>(TakeAlongRows, 'wasm', ({inputs: {x, indices}, attrs: {numColumns}, backend}) => {
  const out = makeOutput(backend, indices.shape, 'float32');
  takeAlongRows(
    floats(backend, x),
    numColumns,
    ints(backend, indices),
    indices.shape[1],
    floats(backend, out),
  );
  return out;
});
