import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  Activation,
  ACTIVATION_NAMES,
  type ActivationAttrs,
  type ActivationInputs,
} from '../../kernel_names';
import {assembly} from './assembly_module';
import {address, makeOutput} from './wasm_util';

export const activationConfig = kernelConfig<ActivationInputs, ActivationAttrs, BackendWasm>(
  Activation,
  'wasm',
  ({inputs: {x}, attrs, backend}) => {
    const out = makeOutput(backend, x.shape, 'float32');
    assembly(backend).activation(
      ACTIVATION_NAMES.indexOf(attrs.activation),
      util.sizeFromShape(x.shape),
      address(backend, x),
      address(backend, out),
    );
    return out;
  },
);
