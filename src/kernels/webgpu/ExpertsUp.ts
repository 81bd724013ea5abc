import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {ExpertsUp, type ExpertsAttrs, type ExpertsUpInputs} from '../../kernel_names';
import {activationFunction} from './activation_wgsl';
import {groupsTimesMatrices} from './grouped_matmul';
import {joinMagnitude} from './magnitude_wgsl';
import {runMatMul} from './matmul';
import {makeOutput} from './program';

/** The first product of the experts, with the gather before it and the activation after it. */
export const expertsUpConfig = kernelConfig<ExpertsUpInputs, ExpertsAttrs, WebGPUBackend>(
  ExpertsUp,
  'webgpu',
  ({inputs: {x, w, bins, indices, gate}, attrs: {activation, topK, precision}, backend}) => {
    const numRows = indices.shape[0];
    const shape = [numRows, w.shape[1]];
    const [linear, hidden] = [makeOutput(backend, shape), makeOutput(backend, shape)];
    const at = '(row * uniforms.columns + column) / 4u';
    const product = groupsTimesMatrices(ExpertsUp, {
      a: x,
      b: w,
      bins,
      numRows,
      transposeB: true,
      gatherA: {indices, topK},
      epilogue: {
        variant: `${activation} ${gate != null}`,
        inputs: gate == null ? {} : {gate},
        inputTypes: gate == null ? ({} as Record<string, string>) : {gate: 'vec4<f32>'},
        outputs: {linear, hidden},
        outputTypes: {linear: 'vec4<f32>', hidden: 'vec4<f32>'},
        declarations: activationFunction(activation, 'vec4<f32>'),
        result: {
          magnitudesOf: ['hidden'],
          store: () => `
            if (inside) {
              let at = ${at};
              let activated = ${gate == null ? 'activate(value)' : 'activate(gate[at]) * value'};
              linear[at] = value;
              hidden[at] = activated;
              ${joinMagnitude('hidden', 'activated')}
            }`,
        },
      },
    });
    runMatMul(backend, {...product, precision});
    return [linear, hidden] as TensorInfo[];
  },
);
