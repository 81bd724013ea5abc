import type {NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {
  Dds,
  type DdsInputs,
  Dsd,
  type DsdInputs,
  Sdd,
  type SddInputs,
  SPARSE_INDEX,
  type SparseAttrs,
  type SparseIndex,
} from '../kernel_names';

/**
 * The three products at one index, whose tensors come in the order of `SPARSE_INDEX`. Sdd, Dsd and
 * Dds are each other's gradients: every gradient of theirs is one of these calls.
 */
export function sparseProducts(indexTensors: Tensor[], attrs: NamedAttrMap) {
  const index = Object.fromEntries(
    SPARSE_INDEX.map((name, i) => [name, indexTensors[i]]),
  ) as Record<keyof SparseIndex, Tensor>;
  const sparseAttrs = attrs as unknown as SparseAttrs;
  const transposing = (transposeA: boolean, transposeB: boolean) => ({
    ...sparseAttrs,
    transposeA,
    transposeB,
  });
  return {
    sdd: (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) =>
      runKernel<SddInputs, SparseAttrs>(Sdd, {a, b, ...index}, transposing(transposeA, transposeB)),
    dsd: (values: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) =>
      runKernel<DsdInputs, SparseAttrs>(
        Dsd,
        {values, b, ...index},
        transposing(transposeA, transposeB),
      ),
    dds: (a: Tensor, values: Tensor, transposeA: boolean, transposeB: boolean) =>
      runKernel<DdsInputs, SparseAttrs>(
        Dds,
        {a, values, ...index},
        transposing(transposeA, transposeB),
      ),
    /** What the product that is differentiated transposes. */
    transposeA: sparseAttrs.transposeA,
    transposeB: sparseAttrs.transposeB,
  };
}
