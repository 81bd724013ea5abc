import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {PaddedBins, type PaddedBinsAttrs, type PaddedBinsInputs} from '../../kernel_names';
import {makeOutput} from './program';
import {ROUND_UP} from './round_up';
import {sumRows} from './row_sums';

export const paddedBinsConfig = kernelConfig<PaddedBinsInputs, PaddedBinsAttrs, WebGPUBackend>(
  PaddedBins,
  'webgpu',
  ({inputs: {tokensPerExpert}, attrs: {blockSize}, backend}) => {
    const y = makeOutput(backend, tokensPerExpert.shape, 'int32');
    sumRows(backend, {
      name: PaddedBins,
      x: tokensPerExpert,
      y,
      exclusive: false,
      term: {
        variant: 'rounded up',
        declaration: `
          ${ROUND_UP}
          fn term(count : i32) -> i32 { return roundUp(count, uniforms.blockSize); }`,
        uniforms: {blockSize},
      },
    });
    return y;
  },
);
