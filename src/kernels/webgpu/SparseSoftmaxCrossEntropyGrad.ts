import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  SparseSoftmaxCrossEntropyGrad,
  type SparseSoftmaxCrossEntropyGradInputs,
} from '../../kernel_names';
import {type FloatType, floatType, isNan, lengthOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {rowWorkgroupSize} from './row_lanes';

/** One workgroup a row: the forward pass has summed over it, so that every element is read and written once. */
function crossEntropyGradProgram(type: FloatType, workgroupSize: number): Program {
  const vector = type !== 'f32';
  // Which elements of a vector are the label's.
  const isLabel = vector
    ? 'vec4<u32>(4u * at) + vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(label)'
    : 'at == label';
  return {
    name: SparseSoftmaxCrossEntropyGrad,
    variant: `${type} ${workgroupSize}`,
    inputs: {logits: type, labels: 'i32', logSums: 'f32', dy: 'f32'},
    outputs: {dlogits: type},
    uniforms: {length: 'u32'},
    workgroupSize,
    main: () => `
      let begin = group * uniforms.length;
      // Negative ones become large.
      let label = u32(labels[group]);
      if (label >= uniforms.length * ${lengthOf(type)}u) {
        for (var at = lane; at < uniforms.length; at += ${workgroupSize}u) {
          dlogits[begin + at] = ${type}(0);
        }
        return;
      }
      let logSum = logSums[group];
      let factor = dy[group];
      // That of a row with a NaN is NaN.
      let failed = ${isNan('f32', 'logSum')};
      for (var at = lane; at < uniforms.length; at += ${workgroupSize}u) {
        let probability = exp(max(logits[begin + at] - logSum, ${type}(-104)));
        let gradient = factor * (probability - select(${type}(0), ${type}(1), ${isLabel}));
        dlogits[begin + at] = select(gradient, ${type}(logSum), failed);
      }`,
  };
}

export const sparseSoftmaxCrossEntropyGradConfig = kernelConfig<
  SparseSoftmaxCrossEntropyGradInputs,
  object,
  WebGPUBackend
>(SparseSoftmaxCrossEntropyGrad, 'webgpu', ({inputs, backend}) => {
  const {logits, labels, logSums, dy} = inputs;
  const [numRows, vocabSize] = logits.shape;
  const dlogits = makeOutput(backend, [numRows, vocabSize]);
  const type = floatType(vocabSize);
  const length = vocabSize / lengthOf(type);
  runProgram(backend, crossEntropyGradProgram(type, rowWorkgroupSize(length)), {
    inputs: {logits, labels, logSums, dy},
    outputs: {dlogits},
    uniforms: {length},
    workgroups: numRows,
  });
  return dlogits;
});
