import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Sdd, type SddInputs, type SparseAttrs} from '../../kernel_names';
import {ADD_PRODUCT, productLoop, TRANSPOSED} from './product_glsl';
import {type Program, runProgram1} from './program';

/** The texels of op(x) from a row and a step on; whole ones where the block size is even. */
function operand(name: string, along: string, step: string, transposed: boolean, isEven: boolean) {
  const [row, column] = transposed ? [step, along] : [along, step];
  return isEven ? `${name}((${row}) >> 1, (${column}) >> 1)` : `${name}Quad(${row}, ${column})`;
}

function sddProgram({blockSize, transposeA, transposeB}: SparseAttrs, isOdd: boolean): Program {
  const isEven = blockSize % 2 === 0;
  const a = operand('a', 'row', '2 * k', transposeA, isEven);
  const b = operand('b', 'column', '2 * k', !transposeB, isEven);
  return {
    name: Sdd,
    inputs: {a: 'packed', b: 'packed', rowIndices: 'flat', columnIndices: 'flat'},
    layout: 'packed',
    outputs: ['y'],
    uniforms: {blockRows: 'int', blockColumns: 'int', inner: 'int'},
    declarations: ADD_PRODUCT,
    main: `
      int block = rowTexel / out_rowTexels;
      int blockRow = rowIndicesInt(block);
      int blockColumn = columnIndicesInt(block);
      if (blockRow < 0 || blockRow >= blockRows || blockColumn < 0 || blockColumn >= blockColumns) {
        return;
      }
      int row = blockRow * out_rows + 2 * (rowTexel - block * out_rowTexels);
      int column = blockColumn * out_columns + 2 * columnTexel;
      vec4 sum = vec4(0.0);
      ${productLoop({
        size: 'inner',
        isOdd,
        a: transposeA ? `${a}.${TRANSPOSED}` : a,
        b: transposeB ? `${b}.${TRANSPOSED}` : b,
      })}
      y = sum;`,
  };
}

export const sddConfig = kernelConfig<SddInputs, SparseAttrs, MathBackendWebGL>(
  Sdd,
  'webgl',
  ({inputs: {a, b, rowIndices, columnIndices}, attrs, backend}) => {
    const {blockSize, sparseRows, sparseColumns, transposeA} = attrs;
    const inner = a.shape[transposeA ? 0 : 1];
    return runProgram1(backend, sddProgram(attrs, inner % 2 === 1), {
      inputs: {a, b, rowIndices, columnIndices},
      shape: [columnIndices.shape[0], blockSize, blockSize],
      uniforms: {
        blockRows: sparseRows / blockSize,
        blockColumns: sparseColumns / blockSize,
        inner,
      },
    });
  },
);
