import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {ReplicateGrad, type ReplicateGradAttrs, type ReplicateGradInputs} from '../../kernel_names';
import {replicateGrad} from '../shared/Replicate_impl';
import {floats, ints, makeOutput} from './wasm_util';

export const replicateGradConfig = kernelConfig<
  ReplicateGradInputs,
  ReplicateGradAttrs,
  BackendWasm
>(ReplicateGrad, 'wasm', ({inputs: {dy, bins}, backend}) => {
  const out = makeOutput(backend, [...dy.shape.slice(0, -1), bins.shape[0]], 'float32');
  replicateGrad(floats(backend, dy), ints(backend, bins), floats(backend, out));
  return out;
});
