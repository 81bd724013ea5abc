import type {GradConfig, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {
  Embedding,
  EmbeddingGrad,
  type EmbeddingGradAttrs,
  type EmbeddingGradInputs,
} from '../kernel_names';

export const embeddingGradConfig: GradConfig = {
  kernelName: Embedding,
  inputsToSave: ['table', 'indices'],
  gradFunc: (dy: Tensor | Tensor[], [table, indices]: Tensor[]) => ({
    table: () =>
      runKernel<EmbeddingGradInputs, EmbeddingGradAttrs>(
        EmbeddingGrad,
        {dy: dy as Tensor, indices},
        {vocabSize: table.shape[0]},
      ),
  }),
};
