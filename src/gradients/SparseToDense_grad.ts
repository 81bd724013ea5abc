import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {DenseToSparse, SparseToDense} from '../kernel_names';

export const sparseToDenseGradConfig: GradConfig = {
  kernelName: SparseToDense,
  inputsToSave: ['rowIndices', 'columnIndices'],
  gradFunc: (
    dy: Tensor | Tensor[],
    [rowIndices, columnIndices]: Tensor[],
    attrs: NamedAttrMap,
  ) => ({
    values: () => runKernel(DenseToSparse, {x: dy as Tensor, rowIndices, columnIndices}, attrs),
  }),
};
