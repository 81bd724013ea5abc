import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Dds, type DdsInputs, type SparseAttrs} from '../../kernel_names';
import {ddsShape} from '../shared/Dds_impl';
import {runSparseProduct} from './sparse_product';

export const ddsConfig = kernelConfig<DdsInputs, SparseAttrs, MathBackendWebGL>(
  Dds,
  'webgl',
  ({inputs: {a, values, ...index}, attrs, backend}) =>
    runSparseProduct(backend, Dds, {
      values,
      dense: a,
      index,
      size: attrs,
      sparseFirst: false,
      sparseTransposed: attrs.transposeB,
      denseTransposed: attrs.transposeA,
      shape: ddsShape(a.shape, attrs),
    }),
);
