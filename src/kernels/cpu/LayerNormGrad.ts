import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {LayerNormGrad, type LayerNormGradAttrs, type LayerNormGradInputs} from '../../kernel_names';
import {floats} from './cpu_util';
import {rowStatistics} from './row_statistics';

export const layerNormGradConfig = kernelConfig<
  LayerNormGradInputs,
  LayerNormGradAttrs,
  MathBackendCPU
>(LayerNormGrad, 'cpu', ({inputs, attrs: {epsilon}, backend}) => {
  const [numRows, size] = inputs.x.shape;
  const [x, gamma, dy] = [inputs.x, inputs.gamma, inputs.dy].map((t) => floats(backend, t));
  const dx = new Float32Array(x.length);
  for (let row = 0; row < numRows; row++) {
    const begin = row * size;
    const {mean, scale} = rowStatistics(x.subarray(begin, begin + size), epsilon);
    // With g = gamma dy and n the normalized row: dx = (g - mean(g) - n mean(g n)) scale.
    let [sumG, sumGN] = [0, 0];
    for (let i = 0; i < size; i++) {
      const normal = (x[begin + i] - mean) * scale;
      sumG += gamma[i] * dy[begin + i];
      sumGN += gamma[i] * dy[begin + i] * normal;
    }
    for (let i = 0; i < size; i++) {
      const normal = (x[begin + i] - mean) * scale;
      dx[begin + i] = (gamma[i] * dy[begin + i] - sumG / size - (normal * sumGN) / size) * scale;
    }
  }
  return backend.makeTensorInfo(inputs.x.shape, 'float32', dx);
});
