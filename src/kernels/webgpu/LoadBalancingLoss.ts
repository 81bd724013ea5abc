import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  LoadBalancingLoss,
  type LoadBalancingLossAttrs,
  type LoadBalancingLossInputs,
} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {sumOfPartials} from './sum_of_partials';
import {workgroupReduction} from './workgroup_reduction';

const WORKGROUP_SIZE = 256;
/** Elements that a workgroup sums. */
const CHUNK = 16 * WORKGROUP_SIZE;

/** One workgroup a chunk of the scores. */
const CHUNK_SUMS: Program = {
  name: LoadBalancingLoss,
  variant: 'chunks',
  inputs: {scores: 'f32', tokensPerExpert: 'i32'},
  outputs: {sums: 'f32'},
  uniforms: {size: 'u32', numExperts: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  declarations: () => workgroupReduction({name: 'sumOverChunk', type: 'f32', size: WORKGROUP_SIZE}),
  main: () => `
    let begin = group * ${CHUNK}u;
    let end = min(begin + ${CHUNK}u, uniforms.size);
    var mine = 0.0;
    for (var i = begin + lane; i < end; i += ${WORKGROUP_SIZE}u) {
      mine += scores[i] * f32(tokensPerExpert[i % uniforms.numExperts]);
    }
    let sum = sumOverChunk(lane, mine);
    if (lane == 0u) { sums[group] = sum; }`,
};

export const loadBalancingLossConfig = kernelConfig<
  LoadBalancingLossInputs,
  LoadBalancingLossAttrs,
  WebGPUBackend
>(
  LoadBalancingLoss,
  'webgpu',
  ({inputs: {scores, tokensPerExpert}, attrs: {scale, numTokens}, backend}) => {
    const [numExperts] = tokensPerExpert.shape;
    const size = numTokens * numExperts;
    const chunks = workgroupsFor(size, CHUNK);
    const sums = makeOutput(backend, [chunks]);
    runProgram(backend, CHUNK_SUMS, {
      inputs: {scores, tokensPerExpert},
      outputs: {sums},
      uniforms: {size, numExperts},
      workgroups: chunks,
    });
    const ofSum = {result: 'uniforms.scale * sum', uniforms: {scale}};
    const loss = sumOfPartials(backend, LoadBalancingLoss, sums, ofSum);
    backend.disposeData(sums.dataId);
    return loss;
  },
);
