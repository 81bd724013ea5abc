import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {GlobalNorm, type GlobalNormInputs} from '../../kernel_names';
import {type FloatType, floatType, lengthOf, sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {sumOfPartials} from './sum_of_partials';
import {unroll} from './unroll';
import {workgroupReduction} from './workgroup_reduction';

const WORKGROUP_SIZE = 256;
/** Vectors of a lane that are read together. */
const VECTORS_AT_ONCE = 4;
const VECTORS_PER_LANE = 16;
const CHUNK = WORKGROUP_SIZE * VECTORS_PER_LANE;
/** With the sums, as many buffers as every WebGPU binds. */
const TENSORS_AT_ONCE = 7;

/**
 * One workgroup a chunk of one of several tensors, since to start a program takes longer than to run it on
 * a bias: the sum of its squares goes to its place among those of all.
 */
function chunkSquaresProgram(type: FloatType, count: number): Program {
  const each = <T>(f: (i: number) => T) => Array.from({length: count}, (_, i) => f(i));
  const uniforms = ['length', 'firstGroup'].flatMap((name) => each((i) => `${name}_${i}`));
  return {
    name: GlobalNorm,
    variant: `chunks ${type} ${count}`,
    inputs: Object.fromEntries(each((i) => [`x_${i}`, type])),
    outputs: {sums: 'f32'},
    uniforms: Object.fromEntries([...uniforms, 'firstSum'].map((name) => [name, 'u32'])),
    workgroupSize: WORKGROUP_SIZE,
    declarations: () =>
      workgroupReduction({name: 'sumOverChunk', type: 'f32', size: WORKGROUP_SIZE}),
    main: () => `
      var squares = ${type}();
      ${each(
        (i) => `
        if (group >= uniforms.firstGroup_${i}${i + 1 < count ? ` && group < uniforms.firstGroup_${i + 1}` : ''}) {
          var at = (group - uniforms.firstGroup_${i}) * ${CHUNK}u + lane;
          for (var turn = 0u; turn < ${VECTORS_PER_LANE / VECTORS_AT_ONCE}u; turn++) {
            ${unroll(
              VECTORS_AT_ONCE,
              () => `{
                let value = x_${i}[min(at, uniforms.length_${i} - 1u)];
                squares += select(${type}(), value * value, at < uniforms.length_${i});
                at += ${WORKGROUP_SIZE}u;
              }`,
            )}
          }
        }`,
      ).join('')}
      let sum = sumOverChunk(lane, ${sumOf(type, 'squares')});
      if (lane == 0u) { sums[uniforms.firstSum + group] = sum; }`,
  };
}

/** One program several tensors, and one for the sums of all. */
export const globalNormConfig = kernelConfig<GlobalNormInputs, object, WebGPUBackend>(
  GlobalNorm,
  'webgpu',
  ({inputs, backend}): TensorInfo => {
    const tensors = Object.values(inputs).map((x) => {
      const size = util.sizeFromShape(x.shape);
      const type = floatType(size);
      const length = size / lengthOf(type);
      return {x, type, length, chunks: Math.ceil(length / CHUNK)};
    });
    const numChunks = tensors.reduce((sum, {chunks}) => sum + chunks, 0);
    const sums = makeOutput(backend, [numChunks]);
    let firstSum = 0;
    for (const type of ['f32', 'vec4<f32>'] as const) {
      const ofType = tensors.filter((tensor) => tensor.type === type);
      for (let i = 0; i < ofType.length; i += TENSORS_AT_ONCE) {
        const together = ofType.slice(i, i + TENSORS_AT_ONCE);
        const uniforms: Record<string, number> = {firstSum};
        let groups = 0;
        together.forEach(({length, chunks}, j) => {
          uniforms[`length_${j}`] = length;
          uniforms[`firstGroup_${j}`] = groups;
          groups += chunks;
        });
        runProgram(backend, chunkSquaresProgram(type, together.length), {
          inputs: Object.fromEntries(together.map(({x}, j) => [`x_${j}`, x])),
          outputs: {sums},
          uniforms,
          workgroups: groups,
        });
        firstSum += groups;
      }
    }
    const norm = sumOfPartials(backend, GlobalNorm, sums, {result: 'sqrt(sum)'});
    backend.disposeData(sums.dataId);
    return norm;
  },
);
