import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Softmax, type SoftmaxInputs} from '../../kernel_names';
import {largestOf, NAN, sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {RowLanes} from './row_lanes';

/** The largest of each row, the sum relative to it, and the quotients. */
function softmaxProgram(lanes: RowLanes): Program {
  const {type, workgroupSize} = lanes;
  const vector = type !== 'f32';
  const bits = vector ? 'vec4<u32>' : 'u32';
  // Of large differences it is zero, in float32; they may be infinite.
  const term = (x: string) => `exp(max(${x} - largest, ${type}(-104)))`;
  const logit = lanes.value('logit', 'logits[begin + at]');
  return {
    name: Softmax,
    variant: lanes.variant,
    inputs: {logits: type},
    outputs: {y: type},
    uniforms: {numRows: 'u32', length: 'u32'},
    workgroupSize,
    declarations: () => `
      // The largest logit, and the largest magnitude, as bits.
      struct Largest { logit : f32, bits : u32 }
      fn larger(a : Largest, b : Largest) -> Largest {
        return Largest(max(a.logit, b.logit), max(a.bits, b.bits));
      }
      ${lanes.reduction({name: 'largestOfRow', type: 'Largest', combine: (a, b) => `larger(${a}, ${b})`})}
      ${lanes.reduction({name: 'sumOverRow', type: 'f32'})}`,
    main: () => `
      ${lanes.find}
      ${lanes.read(logit)}
      var mine = Largest(-3.4e38, 0u);
      ${lanes.forEach(
        (get) => `
          let x = ${get(logit)};
          let bits = bitcast<${bits}>(x) & ${bits}(0x7fffffffu);
          mine = larger(mine, Largest(${largestOf(type, 'x')}, ${largestOf(type, 'bits')}));`,
      )}
      let found = largestOfRow(lane, mine);
      let largest = found.logit;
      var sum = 0.0;
      ${lanes.forEach((get) => `let term = ${term(get(logit))}; sum += ${sumOf(type, 'term')};`)}
      let scale = 1 / sumOverRow(lane, sum);
      // The bits of NaN are above those of infinity; an infinite logit has no softmax either.
      if (found.bits > 0x7f800000u || bitcast<u32>(largest) == 0x7f800000u) {
        ${lanes.forEach(() => `y[begin + at] = ${type}(${NAN});`)}
      } else {
        ${lanes.forEach((get) => `y[begin + at] = ${term(get(logit))} * scale;`)}
      }`,
  };
}

export const softmaxConfig = kernelConfig<SoftmaxInputs, object, WebGPUBackend>(
  Softmax,
  'webgpu',
  ({inputs: {logits}, backend}): TensorInfo => {
    const [numRows, size] = logits.shape;
    const y = makeOutput(backend, logits.shape);
    const lanes = RowLanes.ofAny(size);
    runProgram(backend, softmaxProgram(lanes), {
      inputs: {logits},
      outputs: {y},
      uniforms: {numRows, length: lanes.length},
      workgroups: lanes.workgroups(numRows),
    });
    return y;
  },
);
