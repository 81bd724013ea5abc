import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Topology, type TopologyAttrs, type TopologyInputs} from '../../kernel_names';
import {topology} from '../shared/Topology_impl';
import {ints, makeOutput} from './wasm_util';

export const topologyConfig = kernelConfig<TopologyInputs, TopologyAttrs, BackendWasm>(
  Topology,
  'wasm',
  ({inputs: {paddedBins}, attrs: {blockSize, blockRows, blocksPerRow}, backend}) => {
    const out = makeOutput(backend, [blockRows * blocksPerRow], 'int32');
    topology(ints(backend, paddedBins), blockSize, blocksPerRow, ints(backend, out));
    return out;
  },
);
