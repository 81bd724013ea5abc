import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  SparseSoftmaxCrossEntropyGrad,
  type SparseSoftmaxCrossEntropyGradInputs,
} from '../../kernel_names';
import {EXPONENTIAL} from './nan_glsl';
import {type Program, runProgram} from './program';

const PROGRAM: Program = {
  name: SparseSoftmaxCrossEntropyGrad,
  inputs: {logits: 'packed', labels: 'flat', logSums: 'flat', dy: 'flat'},
  layout: 'packed',
  outputs: ['dlogits'],
  declarations: `
    ${EXPONENTIAL}
    // softmax = exponential(x - logSum).
    vec2 gradOf(vec2 x, int row, int column) {
      int label = labelsInt(row);
      if (label < 0 || label >= logits_columns) {
        return vec2(0.0);
      }
      vec2 softmax = exponential(x - logSums(row));
      vec2 isLabel = vec2(equal(ivec2(label), ivec2(column, column + 1)));
      return (softmax - isLabel) * dy(row);
    }`,
  main: `
    vec4 x = logits(rowTexel, columnTexel);
    dlogits = vec4(
        gradOf(x.xy, 2 * rowTexel, 2 * columnTexel),
        gradOf(x.zw, 2 * rowTexel + 1, 2 * columnTexel));`,
};

export const sparseSoftmaxCrossEntropyGradConfig = kernelConfig<
  SparseSoftmaxCrossEntropyGradInputs,
  object,
  MathBackendWebGL
>(SparseSoftmaxCrossEntropyGrad, 'webgl', ({inputs: {logits, labels, logSums, dy}, backend}) =>
  runProgram(backend, PROGRAM, {inputs: {logits, labels, logSums, dy}, shape: logits.shape}),
);
