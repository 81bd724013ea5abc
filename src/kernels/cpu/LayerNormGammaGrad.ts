import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {
  LayerNormGammaGrad,
  type LayerNormGammaGradAttrs,
  type LayerNormGammaGradInputs,
} from '../../kernel_names';
import {floats} from './cpu_util';
import {rowStatistics} from './row_statistics';

export const layerNormGammaGradConfig = kernelConfig<
  LayerNormGammaGradInputs,
  LayerNormGammaGradAttrs,
  MathBackendCPU
>(LayerNormGammaGrad, 'cpu', ({inputs, attrs: {epsilon}, backend}) => {
  const [numRows, size] = inputs.x.shape;
  const [x, dy] = [inputs.x, inputs.dy].map((t) => floats(backend, t));
  const dgamma = new Float32Array(size);
  for (let row = 0; row < numRows; row++) {
    const begin = row * size;
    const {mean, scale} = rowStatistics(x.subarray(begin, begin + size), epsilon);
    for (let i = 0; i < size; i++) {
      dgamma[i] += dy[begin + i] * (x[begin + i] - mean) * scale;
    }
  }
  return backend.makeTensorInfo([size], 'float32', dgamma);
});
