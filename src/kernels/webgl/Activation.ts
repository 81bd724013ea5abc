import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  Activation,
  type ActivationAttrs,
  type ActivationInputs,
  type ActivationName,
} from '../../kernel_names';
import {activationFunction} from './activation_glsl';
import {type Program, runProgram} from './program';

function activationProgram(activation: ActivationName): Program {
  return {
    name: Activation,
    inputs: {x: 'packed'},
    layout: 'packed',
    outputs: ['y'],
    declarations: activationFunction(activation),
    main: 'y = activate(x(rowTexel, columnTexel));',
  };
}

export const activationConfig = kernelConfig<ActivationInputs, ActivationAttrs, MathBackendWebGL>(
  Activation,
  'webgl',
  ({inputs: {x}, attrs: {activation}, backend}) =>
    runProgram(backend, activationProgram(activation), {inputs: {x}, shape: x.shape}),
);
