import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {TakeAlongRows, type TakeAlongRowsAttrs, type TakeAlongRowsInputs} from '../../kernel_names';
import {takeAlongRows} from '../shared/TakeAlongRows_impl';
import {floats, ints} from './cpu_util';

export const takeAlongRowsConfig = kernelConfig<
  TakeAlongRowsInputs,
  TakeAlongRowsAttrs,
  MathBackendCPU
>(TakeAlongRows, 'cpu', ({inputs: {x, indices}, attrs: {numColumns}, backend}) => {
  const shape = indices.shape;
  const out = new Float32Array(util.sizeFromShape(shape));
  takeAlongRows(floats(backend, x), numColumns, ints(backend, indices), indices.shape[1], out);
  return backend.makeTensorInfo(shape, 'float32', out);
});
