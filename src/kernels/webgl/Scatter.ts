import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Scatter, type ScatterAttrs, type ScatterInputs, WeightedScatter} from '../../kernel_names';
import {rowOfCopy} from './permutation';
import {type Program, runProgram} from './program';

/** Every token gathers its own copies, in their order. */
function scatterProgram(name: string, isWeighted: boolean): Program {
  return {
    name,
    inputs: {x: 'packed', rows: 'flat', ...(isWeighted ? {weights: 'flat'} : {})},
    layout: 'packed',
    outputs: ['y'],
    uniforms: {topK: 'int'},
    declarations: `
      vec2 sumOf(int token, int columnTexel) {
        vec2 sum = vec2(0.0);
        for (int copy = token * topK; copy < (token + 1) * topK; copy++) {
          int row = copy < rows_size ? rowsInt(copy) : -1;
          if (row >= 0) {
            sum += xRow(row, columnTexel) ${isWeighted ? '* weights(copy)' : ''};
          }
        }
        return sum;
      }`,
    main: 'y = vec4(sumOf(2 * rowTexel, columnTexel), sumOf(2 * rowTexel + 1, columnTexel));',
  };
}

function scatterKernel(name: string) {
  return ({
    inputs: {x, weights, ...index},
    attrs,
    backend,
  }: {
    inputs: ScatterInputs;
    attrs: ScatterAttrs;
    backend: MathBackendWebGL;
  }): TensorInfo => {
    const rows = rowOfCopy(backend, name, index, attrs);
    const y = runProgram(backend, scatterProgram(name, weights != null), {
      inputs: {x, rows, ...(weights && {weights})},
      shape: [index.indices.shape[0] / attrs.topK, x.shape[x.shape.length - 1]],
      uniforms: {topK: attrs.topK},
    });
    backend.disposeIntermediateTensorInfo(rows);
    return y;
  };
}

export const scatterConfig = kernelConfig(Scatter, 'webgl', scatterKernel(Scatter));
export const weightedScatterConfig = kernelConfig(
  WeightedScatter,
  'webgl',
  scatterKernel(WeightedScatter),
);
