import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  LoadBalancingLossGrad,
  type LoadBalancingLossGradAttrs,
  type LoadBalancingLossGradInputs,
} from '../../kernel_names';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';

const WORKGROUP_SIZE = 256;

/** One invocation an element. */
const PROGRAM: Program = {
  name: LoadBalancingLossGrad,
  inputs: {dy: 'f32', tokensPerExpert: 'i32'},
  outputs: {dscores: 'f32'},
  uniforms: {size: 'u32', numExperts: 'u32', scale: 'f32'},
  workgroupSize: WORKGROUP_SIZE,
  main: () => `
    if (index >= uniforms.size) { return; }
    dscores[index] = dy[0] * uniforms.scale * f32(tokensPerExpert[index % uniforms.numExperts]);`,
};

export const loadBalancingLossGradConfig = kernelConfig<
  LoadBalancingLossGradInputs,
  LoadBalancingLossGradAttrs,
  WebGPUBackend
>(
  LoadBalancingLossGrad,
  'webgpu',
  ({inputs: {dy, tokensPerExpert}, attrs: {scale, numTokens}, backend}) => {
    const [numExperts] = tokensPerExpert.shape;
    const size = numTokens * numExperts;
    const dscores = makeOutput(backend, [numTokens, numExperts]);
    runProgram(backend, PROGRAM, {
      inputs: {dy, tokensPerExpert},
      outputs: {dscores},
      uniforms: {size, numExperts, scale},
      workgroups: workgroupsFor(size, WORKGROUP_SIZE),
    });
    return dscores;
  },
);
