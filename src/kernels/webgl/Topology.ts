import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Topology, type TopologyAttrs, type TopologyInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {upperBound} from './search_glsl';

const PROGRAM: Program = {
  name: Topology,
  inputs: {bins: 'flat'},
  layout: 'flat',
  outputs: ['column'],
  uniforms: {blockSize: 'int', blocksPerRow: 'int'},
  declarations: upperBound('bins'),
  main: `
    int row = index / blocksPerRow;
    int expert = upperBound_bins(row * blockSize);
    column = expert < bins_size ? float(expert * blocksPerRow + index % blocksPerRow) : -1.0;`,
};

export const topologyConfig = kernelConfig<TopologyInputs, TopologyAttrs, MathBackendWebGL>(
  Topology,
  'webgl',
  ({inputs: {paddedBins}, attrs: {blockSize, blockRows, blocksPerRow}, backend}) =>
    runProgram(backend, PROGRAM, {
      inputs: {bins: paddedBins},
      shape: [blockRows * blocksPerRow],
      dtype: 'int32',
      uniforms: {blockSize, blocksPerRow},
    }),
);
