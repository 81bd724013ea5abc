import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {GlobalNorm, type GlobalNormInputs} from '../../kernel_names';
import {assembly} from './assembly_module';
import {address, floats, makeOutput} from './wasm_util';

/** One pass over each tensor. */
export const globalNormConfig = kernelConfig<GlobalNormInputs, object, BackendWasm>(
  GlobalNorm,
  'wasm',
  ({inputs, backend}) => {
    const out = makeOutput(backend, [], 'float32');
    let squares = 0;
    for (const x of Object.values(inputs)) {
      const size = util.sizeFromShape(x.shape);
      squares += assembly(backend).sumOfSquares(size, address(backend, x));
    }
    floats(backend, out)[0] = Math.sqrt(squares);
    return out;
  },
);
