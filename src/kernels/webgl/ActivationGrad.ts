import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  ActivationGrad,
  type ActivationGradAttrs,
  type ActivationGradInputs,
  type ActivationName,
} from '../../kernel_names';
import {derivativeFunction} from './activation_glsl';
import {type Program, runProgram} from './program';

function activationGradProgram(activation: ActivationName): Program {
  return {
    name: ActivationGrad,
    inputs: {x: 'packed', dy: 'packed'},
    layout: 'packed',
    outputs: ['dx'],
    declarations: derivativeFunction(activation),
    main: 'dx = derivative(x(rowTexel, columnTexel)) * dy(rowTexel, columnTexel);',
  };
}

export const activationGradConfig = kernelConfig<
  ActivationGradInputs,
  ActivationGradAttrs,
  MathBackendWebGL
>(ActivationGrad, 'webgl', ({inputs: {x, dy}, attrs: {activation}, backend}) =>
  runProgram(backend, activationGradProgram(activation), {inputs: {x, dy}, shape: x.shape}),
);
