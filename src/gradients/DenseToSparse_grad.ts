import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {DenseToSparse, SparseToDense} from '../kernel_names';

export const denseToSparseGradConfig: GradConfig = {
  kernelName: DenseToSparse,
  inputsToSave: ['rowIndices', 'columnIndices'],
  gradFunc: (
    dy: Tensor | Tensor[],
    [rowIndices, columnIndices]: Tensor[],
    attrs: NamedAttrMap,
  ) => ({
    x: () => runKernel(SparseToDense, {values: dy as Tensor, rowIndices, columnIndices}, attrs),
  }),
};
