import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {Dds, SPARSE_INDEX} from '../kernel_names';
import {sparseProducts} from './sparse_products';

/** Of y = a s: da = dy s' and ds = a' dy; where an operand is transposed, the transpose of that. */
export const ddsGradConfig: GradConfig = {
  kernelName: Dds,
  inputsToSave: ['a', 'values', ...SPARSE_INDEX],
  gradFunc: (grad: Tensor | Tensor[], [a, values, ...index]: Tensor[], attrs: NamedAttrMap) => {
    const {transposeA, transposeB, sdd, dsd, dds} = sparseProducts(index, attrs);
    const dy = grad as Tensor;
    return {
      a: () =>
        transposeA ? dsd(values, dy, transposeB, true) : dds(dy, values, false, !transposeB),
      values: () => (transposeB ? sdd(dy, a, true, transposeA) : sdd(a, dy, !transposeA, false)),
    };
  },
};
