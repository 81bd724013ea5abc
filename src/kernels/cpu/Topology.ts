import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Topology, type TopologyAttrs, type TopologyInputs} from '../../kernel_names';
import {topology} from '../shared/Topology_impl';
import {ints} from './cpu_util';

export const topologyConfig = kernelConfig<TopologyInputs, TopologyAttrs, MathBackendCPU>(
  Topology,
  'cpu',
  ({inputs: {paddedBins}, attrs: {blockSize, blockRows, blocksPerRow}, backend}) => {
    const shape = [blockRows * blocksPerRow];
    const out = new Int32Array(util.sizeFromShape(shape));
    topology(ints(backend, paddedBins), blockSize, blocksPerRow, out);
    return backend.makeTensorInfo(shape, 'int32', out);
  },
);
