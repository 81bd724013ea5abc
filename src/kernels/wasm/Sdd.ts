import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Sdd, type SddInputs, type SparseAttrs} from '../../kernel_names';
import {sdd} from '../shared/Sdd_impl';
import {withMatMul} from './mat_mul';
import {blockIndices, floats, makeOutput} from './wasm_util';

export const sddConfig = kernelConfig<SddInputs, SparseAttrs, BackendWasm>(
  Sdd,
  'wasm',
  ({inputs: {a, b, rowIndices, columnIndices}, attrs, backend}) => {
    const shape = [columnIndices.shape[0], attrs.blockSize, attrs.blockSize];
    const out = makeOutput(backend, shape, 'float32');
    withMatMul(backend, a, b, out, (matMul) => {
      floats(backend, out).fill(0);
      sdd(a.shape, blockIndices(backend, rowIndices, columnIndices), attrs, matMul);
    });
    return out;
  },
);
