import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  ScatterWeightsGrad,
  type ScatterWeightsGradAttrs,
  type ScatterWeightsGradInputs,
} from '../../kernel_names';
import {type Copies, withCopies} from './permutation';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {rowLayout, type RowLayout} from './rows';

const WORKGROUP_SIZE = 256;

/**
 * 32 lanes a copy, or more where a lane would read over 8 elements: they add up their products and
 * then the tree of their sums. Copies of one token lie side by side and share its row in the cache.
 */
function scatterWeightsGradProgram(
  {type, lanes}: RowLayout,
  topK: number,
  {types, declarations}: Pick<Copies, 'types' | 'declarations'>,
): Program {
  const four = [0, 1, 2, 3];
  return {
    name: ScatterWeightsGrad,
    variant: [type, lanes, topK].join(),
    inputs: {x: type, dy: type, ...types},
    outputs: {dw: 'f32'},
    uniforms: {numCopies: 'i32', columns: 'u32'},
    workgroupSize: WORKGROUP_SIZE,
    declarations: () => `${declarations}
    var<workgroup> sums : array<f32, ${WORKGROUP_SIZE}>;`,
    main: () => `
      let copy = index / ${lanes}u;
      let first = index % ${lanes}u;
      var row = -1;
      if (copy < u32(uniforms.numCopies)) { row = rowOfCopy(copy); }
      var sum = ${type}(0);
      if (row >= 0) {
        let fromX = u32(row) * uniforms.columns;
        let fromDy = copy / ${topK}u * uniforms.columns;
        var column = first;
        ${four.map((i) => `var sum${i} = ${type}(0);`).join('\n')}
        for (; column + ${3 * lanes}u < uniforms.columns; column += ${4 * lanes}u) {
          ${four
            .map((i) => {
              const at = `column + ${i * lanes}u`;
              return `sum${i} += x[fromX + ${at}] * dy[fromDy + ${at}];`;
            })
            .join('\n')}
        }
        for (; column < uniforms.columns; column += ${lanes}u) {
          sum0 += x[fromX + column] * dy[fromDy + column];
        }
        sum = (sum0 + sum1) + (sum2 + sum3);
      }
      sums[lane] = ${type === 'f32' ? 'sum' : '(sum.x + sum.y) + (sum.z + sum.w)'};
      for (var reach = ${lanes >> 1}u; reach > 0u; reach /= 2u) {
        workgroupBarrier();
        if (first < reach) { sums[lane] += sums[lane + reach]; }
      }
      if (first == 0u && copy < u32(uniforms.numCopies)) { dw[copy] = sums[lane]; }`,
  };
}

export const scatterWeightsGradConfig = kernelConfig<
  ScatterWeightsGradInputs,
  ScatterWeightsGradAttrs,
  WebGPUBackend
>(ScatterWeightsGrad, 'webgpu', ({inputs: {x, dy, ...index}, attrs, backend}) => {
  const numCopies = index.indices.shape[0];
  const rowSize = x.shape[x.shape.length - 1];
  const dw = makeOutput(backend, [numCopies]);
  const columns = rowSize % 4 === 0 ? rowSize / 4 : rowSize;
  const layout = rowLayout(rowSize, Math.min(WORKGROUP_SIZE, Math.max(32, columns / 8)), 8);
  withCopies(backend, index, attrs, ({types, inputs, uniforms, declarations}) => {
    runProgram(backend, scatterWeightsGradProgram(layout, attrs.topK, {types, declarations}), {
      inputs: {x, dy, ...inputs},
      outputs: {dw},
      uniforms: {...uniforms, columns},
      workgroups: workgroupsFor(numCopies * layout.lanes, WORKGROUP_SIZE),
    });
  });
  return dw;
});
