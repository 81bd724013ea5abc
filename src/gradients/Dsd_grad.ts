import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {Dsd, SPARSE_INDEX} from '../kernel_names';
import {sparseProducts} from './sparse_products';

/** Of y = s b: ds = dy b' and db = s' dy; where an operand is transposed, the transpose of that. */
export const dsdGradConfig: GradConfig = {
  kernelName: Dsd,
  inputsToSave: ['values', 'b', ...SPARSE_INDEX],
  gradFunc: (grad: Tensor | Tensor[], [values, b, ...index]: Tensor[], attrs: NamedAttrMap) => {
    const {transposeA, transposeB, sdd, dsd, dds} = sparseProducts(index, attrs);
    const dy = grad as Tensor;
    return {
      values: () => (transposeA ? sdd(b, dy, transposeB, true) : sdd(dy, b, false, !transposeB)),
      b: () =>
        transposeB ? dds(dy, values, true, transposeA) : dsd(values, dy, !transposeA, false),
    };
  },
};
