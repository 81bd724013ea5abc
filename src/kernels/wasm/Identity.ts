import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {Identity, type TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';

/**
 * A clone that shares the data, as on the other backends; that of tfjs copies here. The tape clones
 * whatever a gradient needs, all weights among it, in every step.
 */
export const identityConfig = kernelConfig<Record<'x', TensorInfo>, object, BackendWasm>(
  Identity,
  'wasm',
  ({inputs: {x}, backend}) => {
    backend.incRef(x.dataId);
    return {dataId: x.dataId, shape: x.shape, dtype: x.dtype};
  },
);
