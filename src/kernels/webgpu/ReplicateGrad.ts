import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {ReplicateGrad, type ReplicateGradAttrs, type ReplicateGradInputs} from '../../kernel_names';
import {makeOutput, type Program, runProgram} from './program';

const WORKGROUP_SIZE = 256;

/** One workgroup a bin of a row: neighbours read neighbours, and their sums are added in pairs. */
const REPLICATE_GRAD: Program = {
  name: ReplicateGrad,
  inputs: {dy: 'f32', bins: 'i32'},
  outputs: {dx: 'f32'},
  uniforms: {numOutputs: 'u32', numBins: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  declarations: () => `var<workgroup> sums : array<f32, ${WORKGROUP_SIZE}>;`,
  main: () => `
    let row = group / uniforms.numBins;
    let bin = group % uniforms.numBins;
    var begin = 0u;
    if (bin > 0u) { begin = u32(max(bins[bin - 1u], 0)); }
    let end = min(u32(max(bins[bin], 0)), uniforms.numOutputs);
    var sum = 0.0;
    for (var i = begin + lane; i < end; i += ${WORKGROUP_SIZE}u) {
      sum += dy[row * uniforms.numOutputs + i];
    }
    sums[lane] = sum;
    for (var half = ${WORKGROUP_SIZE / 2}u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (lane < half) { sums[lane] += sums[lane + half]; }
    }
    if (lane == 0u) { dx[group] = sums[0]; }`,
};

export const replicateGradConfig = kernelConfig<
  ReplicateGradInputs,
  ReplicateGradAttrs,
  WebGPUBackend
>(ReplicateGrad, 'webgpu', ({inputs: {dy, bins}, backend}) => {
  const [numBins] = bins.shape;
  const dx = makeOutput(backend, [...dy.shape.slice(0, -1), numBins]);
  runProgram(backend, REPLICATE_GRAD, {
    inputs: {dy, bins},
    outputs: {dx},
    uniforms: {numOutputs: dy.shape[dy.shape.length - 1], numBins},
    workgroups: util.sizeFromShape(dx.shape),
  });
  return dx;
});
