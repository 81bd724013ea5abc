import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  ScatterWeightsGrad,
  type ScatterWeightsGradAttrs,
  type ScatterWeightsGradInputs,
} from '../../kernel_names';
import {rowOfCopy} from './permutation';
import {type Program, runProgram} from './program';

function weightsGradProgram(columns: number): Program {
  const last = 'x_columnTexels - 1';
  return {
    name: ScatterWeightsGrad,
    inputs: {x: 'packed', dy: 'packed', rows: 'flat'},
    layout: 'flat',
    outputs: ['product'],
    uniforms: {topK: 'int'},
    main: `
      int row = rowsInt(index);
      int token = index / topK;
      if (row < 0) {
        return;
      }
      for (int c = 0; c < ${columns % 2 === 1 ? last : 'x_columnTexels'}; c++) {
        product += dot(xRow(row, c), dyRow(token, c));
      }
      ${columns % 2 === 1 ? `product += xRow(row, ${last}).x * dyRow(token, ${last}).x;` : ''}`,
  };
}

export const scatterWeightsGradConfig = kernelConfig<
  ScatterWeightsGradInputs,
  ScatterWeightsGradAttrs,
  MathBackendWebGL
>(ScatterWeightsGrad, 'webgl', ({inputs: {x, dy, ...index}, attrs, backend}) => {
  const rows = rowOfCopy(backend, ScatterWeightsGrad, index, attrs);
  const weightsGrad = runProgram(backend, weightsGradProgram(dy.shape[1]), {
    inputs: {x, dy, rows},
    shape: index.indices.shape,
    uniforms: {topK: attrs.topK},
  });
  backend.disposeIntermediateTensorInfo(rows);
  return weightsGrad;
});
