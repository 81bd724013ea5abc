import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {SparseSoftmaxCrossEntropy, type SparseSoftmaxCrossEntropyInputs} from '../../kernel_names';
import {EXPONENTIAL} from './nan_glsl';
import {type Program, runProgram, runWithOutputs} from './program';

const SUMS = `
  ${EXPONENTIAL}
  // The largest, and exp(x - largest) summed, of the first row and of the second.
  const vec4 NONE = vec4(-3.0e38, 0.0, -3.0e38, 0.0);
  vec4 addSums(vec4 a, vec4 b) {
    vec2 largest = max(a.xz, b.xz);
    vec2 sum = a.yw * exponential(a.xz - largest) + b.yw * exponential(b.xz - largest);
    return vec4(largest.x, sum.x, largest.y, sum.y);
  }`;

/** Column texel `part`: the sums over some columns of two rows. */
function partsProgram(vocabSize: number): Program {
  return {
    name: SparseSoftmaxCrossEntropy,
    inputs: {logits: 'packed'},
    layout: 'packed',
    outputs: ['sums'],
    uniforms: {partTexels: 'int'},
    declarations: SUMS,
    main: `
      int begin = columnTexel * partTexels;
      int end = min(begin + partTexels, logits_columnTexels);
      vec2 largest = vec2(-3.0e38);
      for (int c = begin; c < end; c++) {
        vec4 x = logits(rowTexel, c);
        ${vocabSize % 2 === 1 ? 'x.yw = c == logits_columnTexels - 1 ? x.xz : x.yw;' : ''}
        largest = max(largest, max(x.xz, x.yw));
      }
      vec2 sum = vec2(0.0);
      for (int c = begin; c < end; c++) {
        vec4 x = exponential(logits(rowTexel, c) - largest.xxyy);
        ${vocabSize % 2 === 1 ? 'x.yw = c == logits_columnTexels - 1 ? vec2(0.0) : x.yw;' : ''}
        sum += x.xz + x.yw;
      }
      sums = vec4(largest.x, sum.x, largest.y, sum.y);`,
  };
}

const LOSSES: Program = {
  name: SparseSoftmaxCrossEntropy,
  inputs: {logits: 'packed', labels: 'flat', parts: 'packed'},
  layout: 'flat',
  outputs: ['loss', 'logSum'],
  declarations: SUMS,
  main: `
    int label = labelsInt(index);
    if (label < 0 || label >= logits_columns) {
      return;
    }
    vec4 sums = NONE;
    for (int part = 0; part < parts_columnTexels; part++) {
      sums = addSums(sums, parts(index >> 1, part));
    }
    vec2 row = (index & 1) == 0 ? sums.xy : sums.zw;
    // Of -Infinity alone the sum is zero.
    bool isFailed = isNaN(row.y) || row.y == 0.0;
    float logOfSum = isFailed ? uintBitsToFloat(0x7fc00000u) : log(row.y);
    logSum = logOfSum + row.x;
    // The difference of the two largest terms comes first: it is exact where it matters.
    loss = logOfSum + (row.x - logitsValue(index, label));`,
};

export const sparseSoftmaxCrossEntropyConfig = kernelConfig<
  SparseSoftmaxCrossEntropyInputs,
  object,
  MathBackendWebGL
>(SparseSoftmaxCrossEntropy, 'webgl', ({inputs: {logits, labels}, backend}) => {
  const [numRows, vocabSize] = logits.shape;
  // As many parts as a part has texels, so that both programs take as long.
  const columnTexels = Math.ceil(vocabSize / 2);
  const partTexels = Math.max(1, Math.ceil(Math.sqrt(columnTexels)));
  const parts = runProgram(backend, partsProgram(vocabSize), {
    inputs: {logits},
    shape: [numRows, 2 * Math.ceil(columnTexels / partTexels)],
    uniforms: {partTexels},
  });
  const outputs = runWithOutputs(backend, LOSSES, {
    inputs: {logits, labels, parts},
    shape: [numRows],
  });
  backend.disposeIntermediateTensorInfo(parts);
  return outputs;
});
