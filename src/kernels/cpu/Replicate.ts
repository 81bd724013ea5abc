import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {Replicate, type ReplicateAttrs, type ReplicateInputs} from '../../kernel_names';
import {replicate} from '../shared/Replicate_impl';
import {ints, values, zeros} from './cpu_util';

export const replicateConfig = kernelConfig<ReplicateInputs, ReplicateAttrs, MathBackendCPU>(
  Replicate,
  'cpu',
  ({inputs: {x, bins}, attrs: {numOutputs}, backend}) => {
    const shape = [...x.shape.slice(0, -1), numOutputs];
    const out = zeros(
      x.dtype,
      shape.reduce((a, b) => a * b),
    );
    replicate(values(backend, x), ints(backend, bins), out);
    return backend.makeTensorInfo(shape, x.dtype, out);
  },
);
