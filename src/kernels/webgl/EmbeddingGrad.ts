import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {EmbeddingGrad, type EmbeddingGradAttrs, type EmbeddingGradInputs} from '../../kernel_names';
import {mergeSort} from './merge_sort';
import {type Program, runProgram} from './program';
import {runStarts} from './run_starts';

/** Every row of the table sums the rows of dy with its index, which sorting has brought together. */
const PROGRAM: Program = {
  name: EmbeddingGrad,
  inputs: {dy: 'packed', positions: 'flat', starts: 'flat'},
  layout: 'packed',
  outputs: ['dtable'],
  declarations: `
    vec2 sumOf(int row, int columnTexel) {
      vec2 sum = vec2(0.0);
      if (row < out_rows) {
        int end = startsInt(row + 1);
        for (int i = startsInt(row); i < end; i++) {
          sum += dyRow(positionsInt(i), columnTexel);
        }
      }
      return sum;
    }`,
  main: 'dtable = vec4(sumOf(2 * rowTexel, columnTexel), sumOf(2 * rowTexel + 1, columnTexel));',
};

export const embeddingGradConfig = kernelConfig<
  EmbeddingGradInputs,
  EmbeddingGradAttrs,
  MathBackendWebGL
>(EmbeddingGrad, 'webgl', ({inputs: {dy, indices}, attrs: {vocabSize}, backend}) => {
  const [sorted, positions] = mergeSort(backend, EmbeddingGrad, indices, 32);
  const starts = runStarts(backend, EmbeddingGrad, sorted, vocabSize + 1);
  const dtable = runProgram(backend, PROGRAM, {
    inputs: {dy, positions, starts},
    shape: [vocabSize, dy.shape[1]],
  });
  [sorted, positions, starts].forEach((x) => backend.disposeIntermediateTensorInfo(x));
  return dtable;
});
