import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {PaddedBins, type PaddedBinsAttrs, type PaddedBinsInputs} from '../../kernel_names';
import {paddedBins} from '../shared/PaddedBins_impl';
import {ints} from './cpu_util';

export const paddedBinsConfig = kernelConfig<PaddedBinsInputs, PaddedBinsAttrs, MathBackendCPU>(
  PaddedBins,
  'cpu',
  ({inputs: {tokensPerExpert}, attrs: {blockSize}, backend}) => {
    const shape = tokensPerExpert.shape;
    const out = new Int32Array(util.sizeFromShape(shape));
    paddedBins(ints(backend, tokensPerExpert), blockSize, out);
    return backend.makeTensorInfo(shape, 'int32', out);
  },
);
