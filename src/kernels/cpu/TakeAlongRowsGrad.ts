import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  TakeAlongRowsGrad,
  type TakeAlongRowsGradAttrs,
  type TakeAlongRowsGradInputs,
} from '../../kernel_names';
import {takeAlongRowsGrad} from '../shared/TakeAlongRows_impl';
import {floats, ints} from './cpu_util';

export const takeAlongRowsGradConfig = kernelConfig<
  TakeAlongRowsGradInputs,
  TakeAlongRowsGradAttrs,
  MathBackendCPU
>(TakeAlongRowsGrad, 'cpu', ({inputs: {dy, indices}, attrs: {numColumns}, backend}) => {
  const shape = [dy.shape[0], numColumns];
  const out = new Float32Array(util.sizeFromShape(shape));
  takeAlongRowsGrad(floats(backend, dy), ints(backend, indices), dy.shape[1], numColumns, out);
  return backend.makeTensorInfo(shape, 'float32', out);
});
