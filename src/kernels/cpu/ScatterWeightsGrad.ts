import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {
  ScatterWeightsGrad,
  type ScatterWeightsGradAttrs,
  type ScatterWeightsGradInputs,
} from '../../kernel_names';
import {floats} from './cpu_util';
import {dotRows} from './indexed_rows';
import {routedRows} from './routed_rows';

export const scatterWeightsGradConfig = kernelConfig<
  ScatterWeightsGradInputs,
  ScatterWeightsGradAttrs,
  MathBackendCPU
>(ScatterWeightsGrad, 'cpu', ({inputs, attrs, backend}) => {
  const {x, dy, indices} = inputs;
  const out = new Float32Array(util.sizeFromShape(indices.shape));
  const rows = routedRows(backend, inputs, attrs);
  dotRows(rows, floats(backend, x), floats(backend, dy), out, x.shape[x.shape.length - 1]);
  return backend.makeTensorInfo(indices.shape, 'float32', out);
});
