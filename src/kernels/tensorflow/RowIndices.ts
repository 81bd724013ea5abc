import {RowIndices, type RowIndicesAttrs, type RowIndicesInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const rowIndicesConfig = tensorflowKernel<RowIndicesInputs, RowIndicesAttrs>(RowIndices, {
  inputs: ['offsets'],
  attrs: {numBlocks: 'int'},
});
