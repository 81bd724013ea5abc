import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {PaddedBins, type PaddedBinsAttrs, type PaddedBinsInputs} from '../../kernel_names';
import {paddedBins} from '../shared/PaddedBins_impl';
import {ints, makeOutput} from './wasm_util';

export const paddedBinsConfig = kernelConfig<PaddedBinsInputs, PaddedBinsAttrs, BackendWasm>(
  PaddedBins,
  'wasm',
  ({inputs: {tokensPerExpert}, attrs: {blockSize}, backend}) => {
    const out = makeOutput(backend, tokensPerExpert.shape, 'int32');
    paddedBins(ints(backend, tokensPerExpert), blockSize, ints(backend, out));
    return out;
  },
);
