import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {SparseSoftmaxCrossEntropy, type SparseSoftmaxCrossEntropyInputs} from '../../kernel_names';
import {type FloatType, floatType, largestOf, lengthOf, NAN, sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {rowWorkgroupSize} from './row_lanes';
import {workgroupReduction} from './workgroup_reduction';

/**
 * One workgroup a row, which it reads once: each lane keeps the largest logit that it has seen and the
 * sum of the exponentials relative to it, and they are put together at the end.
 */
function crossEntropyProgram(type: FloatType, workgroupSize: number): Program {
  const vector = type !== 'f32';
  const bits = vector ? 'vec4<u32>' : 'u32';
  return {
    name: SparseSoftmaxCrossEntropy,
    variant: `${type} ${workgroupSize}`,
    inputs: {logits: type, labels: 'i32'},
    outputs: {losses: 'f32', logSums: 'f32'},
    uniforms: {length: 'u32'},
    workgroupSize,
    declarations: () => `
      // Largest logit, sum of exponentials, and whether there was a NaN.
      alias State = vec3f;
      // Of large differences it is zero, in float32; they may be infinite.
      fn expBelow(x : f32) -> f32 { return exp(max(x, -104)); }
      fn combine(a : State, b : State) -> State {
        let largest = max(a.x, b.x);
        let sum = a.y * expBelow(a.x - largest) + b.y * expBelow(b.x - largest);
        return State(largest, sum, max(a.z, b.z));
      }
      ${workgroupReduction({
        name: 'combineLanes',
        type: 'State',
        size: workgroupSize,
        combine: (a, b) => `combine(${a}, ${b})`,
      })}`,
    main: () => `
      let begin = group * uniforms.length;
      var largest = -3.4e38;
      var sum = 0.0;
      var mostBits = ${bits}();
      for (var at = lane; at < uniforms.length; at += ${workgroupSize}u) {
        let x = logits[begin + at];
        mostBits = max(mostBits, bitcast<${bits}>(x) & ${bits}(0x7fffffffu));
        let newLargest = max(largest, ${largestOf(type, 'x')});
        let terms = exp(max(x - newLargest, ${type}(-104)));
        sum = sum * expBelow(largest - newLargest) + ${sumOf(type, 'terms')};
        largest = newLargest;
      }
      // The bits of NaN are above those of infinity.
      let hasNan = select(0.0, 1.0, ${largestOf(type, 'mostBits')} > 0x7f800000u);
      let row = combineLanes(lane, State(largest, sum, hasNan));
      if (lane == 0u) {
        let label = labels[group];
        var logOfSum = log(row.y);
        // Of -Infinity alone the sum is zero.
        if (row.z > 0 || bitcast<u32>(row.x) == 0x7f800000u || row.y == 0) { logOfSum = ${NAN}; }
        var loss = 0.0;
        if (label >= 0 && u32(label) < uniforms.length * ${lengthOf(type)}u) {
          let at = u32(label);
          let logit = ${vector ? 'logits[begin + at / 4u][at % 4u]' : 'logits[begin + at]'};
          // The difference of the two largest terms comes first: it is exact where it matters.
          loss = logOfSum + (row.x - logit);
        }
        losses[group] = loss;
        logSums[group] = logOfSum + row.x;
      }`,
  };
}

export const sparseSoftmaxCrossEntropyConfig = kernelConfig<
  SparseSoftmaxCrossEntropyInputs,
  object,
  WebGPUBackend
>(SparseSoftmaxCrossEntropy, 'webgpu', ({inputs: {logits, labels}, backend}) => {
  const [numRows, vocabSize] = logits.shape;
  const [losses, logSums] = [0, 1].map(() => makeOutput(backend, [numRows]));
  const type = floatType(vocabSize);
  const length = vocabSize / lengthOf(type);
  runProgram(backend, crossEntropyProgram(type, rowWorkgroupSize(length)), {
    inputs: {logits, labels},
    outputs: {losses, logSums},
    uniforms: {length},
    workgroups: numRows,
  });
  return [losses, logSums];
});
