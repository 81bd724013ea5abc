import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../../kernel_names';
import {floats} from './cpu_util';
import {rowStatistics} from './row_statistics';

export const layerNormConfig = kernelConfig<LayerNormInputs, LayerNormAttrs, MathBackendCPU>(
  LayerNorm,
  'cpu',
  ({inputs, attrs: {epsilon}, backend}) => {
    const [numRows, size] = inputs.x.shape;
    const [x, gamma, beta] = [inputs.x, inputs.gamma, inputs.beta].map((t) => floats(backend, t));
    const out = new Float32Array(x.length);
    for (let row = 0; row < numRows; row++) {
      const begin = row * size;
      const {mean, scale} = rowStatistics(x.subarray(begin, begin + size), epsilon);
      for (let i = 0; i < size; i++) {
        out[begin + i] = (x[begin + i] - mean) * scale * gamma[i] + beta[i];
      }
    }
    return backend.makeTensorInfo(inputs.x.shape, 'float32', out);
  },
);
