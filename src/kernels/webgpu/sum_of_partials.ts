import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {makeOutput, type Program, runProgram} from './program';
import {workgroupReduction} from './workgroup_reduction';

const WORKGROUP_SIZE = 256;

/** How the sum becomes the result: WGSL of `sum`, and the scalars that it reads as `uniforms.name`. */
export interface OfSum {
  result: string;
  uniforms?: Record<string, number>;
}

function program(name: string, {result, uniforms = {}}: OfSum): Program {
  const scalars = Object.keys(uniforms).map((scalar) => [scalar, 'f32' as const]);
  return {
    name,
    variant: `${result} of the partial sums`,
    inputs: {partials: 'f32'},
    outputs: {y: 'f32'},
    uniforms: {length: 'u32', ...Object.fromEntries(scalars)},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => workgroupReduction({name: 'sumOverAll', type: 'f32', size: WORKGROUP_SIZE}),
    main: () => `
      var mine = 0.0;
      for (var i = lane; i < uniforms.length; i += ${WORKGROUP_SIZE}u) { mine += partials[i]; }
      let sum = sumOverAll(lane, mine);
      if (lane == 0u) { y[0] = ${result}; }`,
  };
}

/** What workgroups have summed by themselves, [N], as one scalar: one workgroup sums it, in order. */
export function sumOfPartials(
  backend: WebGPUBackend,
  name: string,
  partials: TensorInfo,
  ofSum: OfSum,
): TensorInfo {
  const y = makeOutput(backend, []);
  runProgram(backend, program(name, ofSum), {
    inputs: {partials},
    outputs: {y},
    uniforms: {length: partials.shape[0], ...ofSum.uniforms},
    workgroups: 1,
  });
  return y;
}
