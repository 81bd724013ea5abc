import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Dsd, type DsdInputs, type SparseAttrs} from '../../kernel_names';
import {dsdShape} from '../shared/Dsd_impl';
import {runSparseProduct} from './sparse_product';

export const dsdConfig = kernelConfig<DsdInputs, SparseAttrs, MathBackendWebGL>(
  Dsd,
  'webgl',
  ({inputs: {values, b, ...index}, attrs, backend}) =>
    runSparseProduct(backend, Dsd, {
      values,
      dense: b,
      index,
      size: attrs,
      sparseFirst: true,
      sparseTransposed: attrs.transposeA,
      denseTransposed: attrs.transposeB,
      shape: dsdShape(b.shape, attrs),
    }),
);
