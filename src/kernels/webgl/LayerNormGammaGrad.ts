import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {
  LayerNormGammaGrad,
  type LayerNormGammaGradAttrs,
  type LayerNormGammaGradInputs,
} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {NORMALIZE, rowStatistics} from './row_statistics';

/** Row `part` of the parts is the sum over some rows of x. */
function partsProgram(rows: number): Program {
  return {
    name: LayerNormGammaGrad,
    inputs: {x: 'packed', statistics: 'packed', dy: 'packed'},
    layout: 'packed',
    outputs: ['sums'],
    uniforms: {partTexels: 'int'},
    declarations: `
      ${NORMALIZE}
      vec2 sumOf(int part, int columnTexel) {
        vec2 sum = vec2(0.0);
        int end = min((part + 1) * partTexels, x_rowTexels);
        for (int row = part * partTexels; row < end; row++) {
          vec4 product = dy(row, columnTexel)
              * normalizeRows(x(row, columnTexel), statistics(row, 0));
          ${rows % 2 === 1 ? 'product.zw = row == x_rowTexels - 1 ? vec2(0.0) : product.zw;' : ''}
          sum += product.xy + product.zw;
        }
        return sum;
      }`,
    main: 'sums = vec4(sumOf(2 * rowTexel, columnTexel), sumOf(2 * rowTexel + 1, columnTexel));',
  };
}

const ADD_PARTS: Program = {
  name: LayerNormGammaGrad,
  inputs: {parts: 'packed'},
  layout: 'packed',
  outputs: ['dgamma'],
  main: `
    for (int row = 0; row < parts_rowTexels; row++) {
      vec4 pair = parts(row, columnTexel);
      dgamma.xy += pair.xy + pair.zw;
    }`,
};

export const layerNormGammaGradConfig = kernelConfig<
  LayerNormGammaGradInputs,
  LayerNormGammaGradAttrs,
  MathBackendWebGL
>(LayerNormGammaGrad, 'webgl', ({inputs: {x, dy}, attrs: {epsilon}, backend}) => {
  const [rows, columns] = x.shape;
  const statistics = rowStatistics(backend, LayerNormGammaGrad, x, epsilon);
  // As many parts as a part has texels, so that both programs take as long.
  const rowTexels = Math.ceil(rows / 2);
  const partTexels = Math.max(1, Math.ceil(Math.sqrt(rowTexels)));
  const parts = runProgram(backend, partsProgram(rows), {
    inputs: {x, statistics, dy},
    shape: [Math.ceil(rowTexels / partTexels), columns],
    uniforms: {partTexels},
  });
  const dgamma = runProgram(backend, ADD_PARTS, {inputs: {parts}, shape: [columns]});
  [statistics, parts].forEach((t) => backend.disposeIntermediateTensorInfo(t));
  return dgamma;
});
