import {PaddedBins, type PaddedBinsAttrs, type PaddedBinsInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const paddedBinsConfig = tensorflowKernel<PaddedBinsInputs, PaddedBinsAttrs>(PaddedBins, {
  inputs: ['tokensPerExpert'],
  attrs: {blockSize: 'int'},
});
