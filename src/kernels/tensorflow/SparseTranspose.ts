import {
  SparseTranspose,
  type SparseTransposeAttrs,
  type SparseTransposeInputs,
} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const sparseTransposeConfig = tensorflowKernel<SparseTransposeInputs, SparseTransposeAttrs>(
  SparseTranspose,
  {
    inputs: ['columnIndices', 'rowIndices'],
    attrs: {blockColumns: 'int'},
    numOutputs: 3,
  },
);
