import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {LayerNormGrad, type LayerNormGradAttrs, type LayerNormGradInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {NORMALIZE, rowStatistics, sumOfRows} from './row_statistics';

// With g = gamma dy and n the normalized row: dx = (g - mean(g) - n mean(g n)) scale.

const INPUTS = {x: 'packed', statistics: 'packed', gamma: 'packed', dy: 'packed'} as const;

const DECLARATIONS = `
  ${NORMALIZE}
  vec4 normalAt(int rowTexel, int columnTexel) {
    return normalizeRows(x(rowTexel, columnTexel), statistics(rowTexel, 0));
  }
  vec4 gradAt(int rowTexel, int columnTexel) {
    return gamma(0, columnTexel).xyxy * dy(rowTexel, columnTexel);
  }`;

/** Two rows a fragment: mean(g) and mean(g n). */
function meansProgram(columns: number): Program {
  return {
    name: LayerNormGrad,
    inputs: INPUTS,
    layout: 'packed',
    outputs: ['means'],
    declarations: DECLARATIONS,
    main: `
      ${sumOfRows('ofGrad', 'gradAt(rowTexel, columnTexel)', columns)}
      ${sumOfRows('ofBoth', 'gradAt(rowTexel, columnTexel) * normalAt(rowTexel, columnTexel)', columns)}
      means = vec4(ofGrad.x, ofBoth.x, ofGrad.y, ofBoth.y) / float(x_columns);`,
  };
}

const PROGRAM: Program = {
  name: LayerNormGrad,
  inputs: {...INPUTS, means: 'packed'},
  layout: 'packed',
  outputs: ['dx'],
  declarations: DECLARATIONS,
  main: `
    vec4 mean = means(rowTexel, 0);
    vec4 grad = gradAt(rowTexel, columnTexel) - mean.xxzz;
    dx = (grad - normalAt(rowTexel, columnTexel) * mean.yyww) * statistics(rowTexel, 0).yyww;`,
};

export const layerNormGradConfig = kernelConfig<
  LayerNormGradInputs,
  LayerNormGradAttrs,
  MathBackendWebGL
>(LayerNormGrad, 'webgl', ({inputs, attrs: {epsilon}, backend}) => {
  const [rows, columns] = inputs.x.shape;
  const statistics = rowStatistics(backend, LayerNormGrad, inputs.x, epsilon);
  const means = runProgram(backend, meansProgram(columns), {
    inputs: {...inputs, statistics},
    shape: [rows, 2],
  });
  const dx = runProgram(backend, PROGRAM, {
    inputs: {...inputs, statistics, means},
    shape: [rows, columns],
  });
  [statistics, means].forEach((x) => backend.disposeIntermediateTensorInfo(x));
  return dx;
});
