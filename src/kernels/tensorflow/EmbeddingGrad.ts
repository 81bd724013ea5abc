import {EmbeddingGrad, type EmbeddingGradAttrs, type EmbeddingGradInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const embeddingGradConfig = tensorflowKernel<EmbeddingGradInputs, EmbeddingGradAttrs>(
  EmbeddingGrad,
  {
    inputs: ['dy', 'indices'],
    attrs: {vocabSize: 'int'},
  },
);
