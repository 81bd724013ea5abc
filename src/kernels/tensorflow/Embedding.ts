import {Embedding, type EmbeddingInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const embeddingConfig = tensorflowKernel<EmbeddingInputs, object>(Embedding, {
  inputs: ['table', 'indices'],
});
