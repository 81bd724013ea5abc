import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Replicate, type ReplicateAttrs, type ReplicateInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {wgslType} from './wgsl_util';

const WORKGROUP_SIZE = 64;

/** One invocation an output: finds its bin by binary search over the bins. */
function replicateProgram(type: string): Program {
  return {
    name: Replicate,
    variant: type,
    inputs: {x: type, bins: 'i32'},
    outputs: {y: type},
    uniforms: {size: 'u32', numOutputs: 'u32', numBins: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    main: () => `
      if (index >= uniforms.size) { return; }
      let position = i32(index % uniforms.numOutputs);
      var low = 0u;
      var high = uniforms.numBins;
      while (low < high) {
        let middle = (low + high) / 2;
        if (bins[middle] <= position) { low = middle + 1; } else { high = middle; }
      }
      var value = ${type}(0);
      if (low < uniforms.numBins) {
        value = x[index / uniforms.numOutputs * uniforms.numBins + low];
      }
      y[index] = value;`,
  };
}

export const replicateConfig = kernelConfig<ReplicateInputs, ReplicateAttrs, WebGPUBackend>(
  Replicate,
  'webgpu',
  ({inputs: {x, bins}, attrs: {numOutputs}, backend}) => {
    const y = makeOutput(backend, [...x.shape.slice(0, -1), numOutputs], x.dtype);
    const size = util.sizeFromShape(y.shape);
    runProgram(backend, replicateProgram(wgslType(x)), {
      inputs: {x, bins},
      outputs: {y},
      uniforms: {size, numOutputs, numBins: bins.shape[0]},
      workgroups: workgroupsFor(size, WORKGROUP_SIZE),
    });
    return y;
  },
);
