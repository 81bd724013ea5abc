import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Replicate, type ReplicateAttrs, type ReplicateInputs} from '../../kernel_names';
import {replicate} from '../shared/Replicate_impl';
import {ints, makeOutput, values} from './wasm_util';

export const replicateConfig = kernelConfig<ReplicateInputs, ReplicateAttrs, BackendWasm>(
  Replicate,
  'wasm',
  ({inputs: {x, bins}, attrs: {numOutputs}, backend}) => {
    const out = makeOutput(backend, [...x.shape.slice(0, -1), numOutputs], x.dtype);
    const outValues = values(backend, out).fill(0);
    replicate(values(backend, x), ints(backend, bins), outValues);
    return out;
  },
);
