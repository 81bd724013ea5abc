import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {Sdd, SPARSE_INDEX} from '../kernel_names';
import {sparseProducts} from './sparse_products';

/** Of s = a b: da = ds b' and db = a' ds; where an operand is transposed, the transpose of that. */
export const sddGradConfig: GradConfig = {
  kernelName: Sdd,
  inputsToSave: ['a', 'b', ...SPARSE_INDEX],
  gradFunc: (dy: Tensor | Tensor[], [a, b, ...index]: Tensor[], attrs: NamedAttrMap) => {
    const {transposeA, transposeB, dsd, dds} = sparseProducts(index, attrs);
    const ds = dy as Tensor;
    return {
      a: () => (transposeA ? dds(b, ds, transposeB, true) : dsd(ds, b, false, !transposeB)),
      b: () => (transposeB ? dsd(ds, a, true, transposeA) : dds(a, ds, !transposeA, false)),
    };
  },
};
