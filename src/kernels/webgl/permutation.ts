import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {PermutationAttrs, PermutationIndex} from '../../kernel_names';
import {invertIndex, type Program, runProgram} from './program';
import {beginOf, upperBound} from './search_glsl';

// Which copy of a token lies in which row. Rows are counted as textures have them: of a binned layout,
// each expert's are an even number, of which the last may be none.

/** `copyOfRow(row)`: the copy in a row of the layout, -1 where there is none. */
function copyOfRowProgram(name: string, {layout}: PermutationAttrs) {
  const locate =
    layout === 'binned'
      ? `
        int expert = row / rowsPerExpert;
        int rank = row - expert * rowsPerExpert;
        if (rank >= numRows || expert >= bins_size) {
          return -1;
        }`
      : `
        int expert = upperBound_paddedBins(row);
        if (expert >= bins_size) {
          return -1;
        }
        int rank = row - begin_paddedBins(expert);`;
  return {
    name,
    inputs: {
      indices: 'flat',
      bins: 'flat',
      ...(layout === 'binned' ? {} : {paddedBins: 'flat'}),
    },
    uniforms: {numRows: 'int', rowsPerExpert: 'int'},
    declarations: `
      ${beginOf('bins')}
      ${layout === 'binned' ? '' : upperBound('paddedBins') + beginOf('paddedBins')}
      int copyOfRow(int row) {
        ${locate}
        int position = begin_bins(expert) + rank;
        int copy = position < min(binsInt(expert), indices_size) ? indicesInt(position) : -1;
        return copy < indices_size ? copy : -1;
      }`,
  } as const satisfies Partial<Program>;
}

/** How many rows the textures of a layout have, and of each expert where binned. */
function textureRows({layout, numRows}: PermutationAttrs, {bins}: PermutationIndex) {
  const rowsPerExpert = 2 * Math.ceil(numRows / 2);
  return {
    count: layout === 'binned' ? bins.shape[0] * rowsPerExpert : numRows,
    uniforms: {numRows, rowsPerExpert},
  };
}

/** The copy in every row of the layout; -1 where there is none. */
export function copyOfRow(
  backend: MathBackendWebGL,
  kernelName: string,
  {indices, bins, paddedBins}: PermutationIndex,
  attrs: PermutationAttrs,
): TensorInfo {
  const {count, uniforms} = textureRows(attrs, {indices, bins, paddedBins});
  const program: Program = {
    ...copyOfRowProgram(kernelName, attrs),
    layout: 'flat',
    outputs: ['copy'],
    main: 'copy = float(copyOfRow(index));',
  };
  return runProgram(backend, program, {
    inputs: {indices, bins, paddedBins},
    shape: [count],
    dtype: 'int32',
    uniforms,
  });
}

/** The row in the layout of every copy, [N]; -1 where it was dropped. */
export function rowOfCopy(
  backend: MathBackendWebGL,
  kernelName: string,
  {indices, bins, paddedBins}: PermutationIndex,
  attrs: PermutationAttrs,
): TensorInfo {
  const {count, uniforms} = textureRows(attrs, {indices, bins, paddedBins});
  return invertIndex(
    backend,
    {...copyOfRowProgram(kernelName, attrs), main: 'target = copyOfRow(index);'},
    {inputs: {indices, bins, paddedBins}, count, size: indices.shape[0], uniforms},
  );
}
