import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {GlobalNorm, type GlobalNormInputs} from '../../kernel_names';
import {type FloatType, floatType, lengthOf, sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {unroll} from './unroll';
import {workgroupReduction} from './workgroup_reduction';

const WORKGROUP_SIZE = 256;
/** Vectors of a lane, read together. */
const VECTORS_PER_LANE = 16;

/** One workgroup a chunk of a tensor: the sum of its squares goes to its place among those of all. */
function chunkSquaresProgram(type: FloatType): Program {
  return {
    name: GlobalNorm,
    variant: `chunks ${type}`,
    inputs: {x: type},
    outputs: {sums: 'f32'},
    uniforms: {length: 'u32', first: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () =>
      workgroupReduction({name: 'sumOverChunk', type: 'f32', size: WORKGROUP_SIZE}),
    main: () => `
      if (group * ${WORKGROUP_SIZE * VECTORS_PER_LANE}u >= uniforms.length) { return; }
      var squares = ${type}();
      ${unroll(
        VECTORS_PER_LANE,
        (i) => `{
          let at = group * ${WORKGROUP_SIZE * VECTORS_PER_LANE}u + ${i * WORKGROUP_SIZE}u + lane;
          let value = x[min(at, uniforms.length - 1u)];
          squares += select(${type}(), value * value, at < uniforms.length);
        }`,
      )}
      let sum = sumOverChunk(lane, ${sumOf(type, 'squares')});
      if (lane == 0u) { sums[uniforms.first + group] = sum; }`,
  };
}

const rootOfSumProgram: Program = {
  name: GlobalNorm,
  variant: 'root of the sum',
  inputs: {sums: 'f32'},
  outputs: {norm: 'f32'},
  uniforms: {length: 'u32'},
  workgroupSize: WORKGROUP_SIZE,
  declarations: () => workgroupReduction({name: 'sumOverAll', type: 'f32', size: WORKGROUP_SIZE}),
  main: () => `
    var mine = 0.0;
    for (var i = lane; i < uniforms.length; i += ${WORKGROUP_SIZE}u) { mine += sums[i]; }
    let sum = sumOverAll(lane, mine);
    if (lane == 0u) { norm[0] = sqrt(sum); }`,
};

/** One program a tensor, and one for all of their sums. */
export const globalNormConfig = kernelConfig<GlobalNormInputs, object, WebGPUBackend>(
  GlobalNorm,
  'webgpu',
  ({inputs, backend}): TensorInfo => {
    const tensors = Object.values(inputs).map((x) => {
      const size = util.sizeFromShape(x.shape);
      const type = floatType(size);
      const length = size / lengthOf(type);
      const chunks = Math.ceil(length / (WORKGROUP_SIZE * VECTORS_PER_LANE));
      return {x, type, length, chunks};
    });
    const numChunks = tensors.reduce((sum, {chunks}) => sum + chunks, 0);
    const sums = makeOutput(backend, [numChunks]);
    const norm = makeOutput(backend, []);
    let first = 0;
    for (const {x, type, length, chunks} of tensors) {
      runProgram(backend, chunkSquaresProgram(type), {
        inputs: {x},
        outputs: {sums},
        uniforms: {length, first},
        workgroups: chunks,
      });
      first += chunks;
    }
    runProgram(backend, rootOfSumProgram, {
      inputs: {sums},
      outputs: {norm},
      uniforms: {length: numChunks},
      workgroups: 1,
    });
    backend.disposeData(sums.dataId);
    return norm;
  },
);
