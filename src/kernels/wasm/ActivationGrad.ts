import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  ACTIVATION_NAMES,
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
} from '../../kernel_names';
import {assembly} from './assembly_module';
import {address, makeOutput} from './wasm_util';

export const activationGradConfig = kernelConfig<
  ActivationGradInputs,
  ActivationGradAttrs,
  BackendWasm
>(ActivationGrad, 'wasm', ({inputs: {x, dy}, attrs, backend}) => {
  const dx = makeOutput(backend, x.shape, 'float32');
  assembly(backend).activationGrad(
    ACTIVATION_NAMES.indexOf(attrs.activation),
    util.sizeFromShape(x.shape),
    address(backend, x),
    address(backend, dy),
    address(backend, dx),
  );
  return dx;
});
