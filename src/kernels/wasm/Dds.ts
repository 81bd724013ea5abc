import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Dds, type DdsInputs, type SparseAttrs} from '../../kernel_names';
import {dds, ddsShape} from '../shared/Dds_impl';
import {withMatMul} from './mat_mul';
import {blockIndices, floats, makeOutput} from './wasm_util';

export const ddsConfig = kernelConfig<DdsInputs, SparseAttrs, BackendWasm>(
  Dds,
  'wasm',
  ({inputs: {a, values, rowIndices, columnIndices}, attrs, backend}) => {
    const shape = ddsShape(a.shape, attrs);
    const out = makeOutput(backend, shape, 'float32');
    withMatMul(backend, a, values, out, (matMul) => {
      floats(backend, out).fill(0);
      dds(a.shape, blockIndices(backend, rowIndices, columnIndices), attrs, matMul);
    });
    return out;
  },
);
