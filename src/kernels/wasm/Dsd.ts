import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Dsd, type DsdInputs, type SparseAttrs} from '../../kernel_names';
import {dsd, dsdShape} from '../shared/Dsd_impl';
import {withMatMul} from './mat_mul';
import {blockIndices, floats, makeOutput} from './wasm_util';

export const dsdConfig = kernelConfig<DsdInputs, SparseAttrs, BackendWasm>(
  Dsd,
  'wasm',
  ({inputs: {values, b, rowIndices, columnIndices}, attrs, backend}) => {
    const shape = dsdShape(b.shape, attrs);
    const out = makeOutput(backend, shape, 'float32');
    withMatMul(backend, values, b, out, (matMul) => {
      floats(backend, out).fill(0);
      dsd(b.shape, blockIndices(backend, rowIndices, columnIndices), attrs, matMul);
    });
    return out;
  },
);
