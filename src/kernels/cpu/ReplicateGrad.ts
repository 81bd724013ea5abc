import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {ReplicateGrad, type ReplicateGradAttrs, type ReplicateGradInputs} from '../../kernel_names';
import {replicateGrad} from '../shared/Replicate_impl';
import {floats, ints} from './cpu_util';

export const replicateGradConfig = kernelConfig<
  ReplicateGradInputs,
  ReplicateGradAttrs,
  MathBackendCPU
>(ReplicateGrad, 'cpu', ({inputs: {dy, bins}, backend}) => {
  const shape = [...dy.shape.slice(0, -1), bins.shape[0]];
  const out = new Float32Array(shape.reduce((a, b) => a * b));
  replicateGrad(floats(backend, dy), ints(backend, bins), out);
  return backend.makeTensorInfo(shape, 'float32', out);
});
