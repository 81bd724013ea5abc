import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig, requireOfBackend} from '../../kernel';
import {ExpertsDownGrad, type ExpertsAttrs, type ExpertsDownGradInputs} from '../../kernel_names';
import {activationDerivative, activationFunction} from './activation_wgsl';
import {groupsTimesMatrices, rowsOfGroup} from './grouped_matmul';
import {joinMagnitude} from './magnitude_wgsl';
import {acrossWidth, runMatMul} from './matmul';
import {makeOutput} from './program';

/**
 * The gradient of the experts' second product for its hidden rows, and in its epilogue all that follows
 * from a hidden row: the gradients of the pre-activations, the hidden row again, which was not kept, and
 * its part in the gradient of the weights.
 */
export const expertsDownGradConfig = kernelConfig<
  ExpertsDownGradInputs,
  ExpertsAttrs,
  WebGPUBackend
>(ExpertsDownGrad, 'webgpu', ({inputs, attrs: {activation, topK, precision}, backend}) => {
  const {dy, w2, bins, indices, weights, linear, gate} = inputs;
  const [numRows, columns] = linear.shape;
  const problem = {rows: rowsOfGroup(numRows, bins.shape[0]), columns};
  const width = acrossWidth(backend, problem, precision);
  const parts = Math.ceil(columns / width);
  const isGlu = gate != null;
  const rows = () => makeOutput(backend, [numRows, columns]);
  const vec4 = 'vec4<f32>';
  const outputs: Record<string, TensorInfo> = {
    linearGrad: rows(),
    ...(isGlu && {gateGrad: rows()}),
    scaled: rows(),
    weightParts: makeOutput(backend, [numRows, parts]),
  };
  const product = groupsTimesMatrices(ExpertsDownGrad, {
    a: dy,
    b: w2,
    bins,
    numRows,
    transposeB: true,
    gatherA: {indices, topK},
    epilogue: {
      variant: `${activation} ${isGlu}`,
      inputs: {weights, linear, ...(isGlu && {gate})},
      inputTypes: {weights: 'f32', linear: vec4, ...(isGlu && {gate: vec4})},
      outputs,
      outputTypes: {
        linearGrad: vec4,
        ...(isGlu && {gateGrad: vec4}),
        scaled: vec4,
        weightParts: 'f32',
      },
      uniforms: {parts},
      declarations: [
        activationFunction(activation, 'vec4<f32>'),
        activationDerivative(activation, 'vec4<f32>'),
      ].join('\n'),
      result: {
        magnitudesOf: ['linearGrad', ...(isGlu ? ['gateGrad'] : []), 'scaled'],
        store: ({width, sumAcross}) => `
          var part = 0.0;
          var copy = 0u;
          if (inside) {
            let at = (row * uniforms.columns + column) / 4u;
            copy = u32(indices[row]);
            let weight = weights[copy];
            let x = ${isGlu ? 'gate' : 'linear'}[at];
            let activated = activate(x);
            let slope = activationDerivative(x);
            let grad = weight * value;
            ${
              isGlu
                ? `let factor = linear[at];
                   let hidden = activated * factor;
                   let linearGradient = grad * activated;
                   let gateGradient = grad * factor * slope;
                   gateGrad[at] = gateGradient;
                   ${joinMagnitude('gateGrad', 'gateGradient')}`
                : `let hidden = activated;
                   let linearGradient = grad * slope;`
            }
            let scaledHidden = weight * hidden;
            linearGrad[at] = linearGradient;
            scaled[at] = scaledHidden;
            ${joinMagnitude('linearGrad', 'linearGradient')}
            ${joinMagnitude('scaled', 'scaledHidden')}
            part = dot(value, hidden);
          }
          let whole = ${sumAcross('part')};
          if (inside && column % ${width}u == 0u) {
            weightParts[copy * uniforms.parts + column / ${width}u] = whole;
          }`,
      },
    },
  });
  runMatMul(backend, {...product, problem, precision});
  return Object.values(outputs);
});

/** Of a glu in half precision, the most: 7 that are read, 4 that are written, and the magnitudes. */
const STORAGE_BUFFERS = 12;

requireOfBackend<WebGPUBackend>(
  expertsDownGradConfig,
  ({device}) => device.limits.maxStorageBuffersPerShaderStage >= STORAGE_BUFFERS,
);
