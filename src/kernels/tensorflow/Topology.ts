import {Topology, type TopologyAttrs, type TopologyInputs} from '../../kernel_names';
import {tensorflowKernel} from './tensorflow_util';

export const topologyConfig = tensorflowKernel<TopologyInputs, TopologyAttrs>(Topology, {
  inputs: ['paddedBins'],
  attrs: {blockSize: 'int', blockRows: 'int', blocksPerRow: 'int'},
});
