import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Gather, type GatherAttrs, type GatherInputs, WeightedGather} from '../../kernel_names';
import {routedShape} from '../shared/permutation';
import {copyOfRow} from './permutation';
import {type Program, runProgram} from './program';

function gatherProgram(name: string, isWeighted: boolean): Program {
  return {
    name,
    inputs: {x: 'packed', copies: 'flat', ...(isWeighted ? {weights: 'flat'} : {})},
    layout: 'packed',
    outputs: ['y'],
    uniforms: {topK: 'int'},
    declarations: `
      vec2 rowOf(int row, int columnTexel) {
        int copy = copiesInt(row);
        if (copy < 0) {
          return vec2(0.0);
        }
        return xRow(copy / topK, columnTexel) ${isWeighted ? '* weights(copy)' : ''};
      }`,
    main: 'y = vec4(rowOf(2 * rowTexel, columnTexel), rowOf(2 * rowTexel + 1, columnTexel));',
  };
}

function gatherKernel(name: string) {
  return ({
    inputs: {x, weights, ...index},
    attrs,
    backend,
  }: {
    inputs: GatherInputs;
    attrs: GatherAttrs;
    backend: MathBackendWebGL;
  }): TensorInfo => {
    const copies = copyOfRow(backend, name, index, attrs);
    const y = runProgram(backend, gatherProgram(name, weights != null), {
      inputs: {x, copies, ...(weights && {weights})},
      shape: routedShape(attrs, index.bins.shape[0], x.shape[x.shape.length - 1]),
      uniforms: {topK: attrs.topK},
    });
    backend.disposeIntermediateTensorInfo(copies);
    return y;
  };
}

export const gatherConfig = kernelConfig(Gather, 'webgl', gatherKernel(Gather));
export const weightedGatherConfig = kernelConfig(
  WeightedGather,
  'webgl',
  gatherKernel(WeightedGather),
);
