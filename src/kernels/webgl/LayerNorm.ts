import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {NORMALIZE, rowStatistics} from './row_statistics';

const PROGRAM: Program = {
  name: LayerNorm,
  inputs: {x: 'packed', statistics: 'packed', gamma: 'packed', beta: 'packed'},
  layout: 'packed',
  outputs: ['y'],
  declarations: NORMALIZE,
  main: `
    vec4 normal = normalizeRows(x(rowTexel, columnTexel), statistics(rowTexel, 0));
    y = normal * gamma(0, columnTexel).xyxy + beta(0, columnTexel).xyxy;`,
};

export const layerNormConfig = kernelConfig<LayerNormInputs, LayerNormAttrs, MathBackendWebGL>(
  LayerNorm,
  'webgl',
  ({inputs: {x, gamma, beta}, attrs: {epsilon}, backend}) => {
    const statistics = rowStatistics(backend, LayerNorm, x, epsilon);
    const y = runProgram(backend, PROGRAM, {
      inputs: {x, statistics, gamma, beta},
      shape: x.shape,
    });
    backend.disposeIntermediateTensorInfo(statistics);
    return y;
  },
);
