import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {
  LayerNormParametersGrad,
  type LayerNormParametersGradAttrs,
  type LayerNormParametersGradInputs,
} from '../../kernel_names';
import {MAX_CHUNKS, sumChunks} from './column_sums';
import {rowStatistics} from './layer_norm_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {RowLanes} from './row_lanes';

/**
 * The sums of chunks of rows, [chunks, 2, H]: of dy times the normalized rows, and of dy. One workgroup a
 * chunk and as many columns as its lanes sum in registers: all of them, if the rows are short. It goes from
 * row to row.
 */
function chunkSumsProgram(row: RowLanes): Program {
  const {type, workgroupSize} = row;
  const x = row.value('x', 'x[begin + at]');
  return {
    name: LayerNormParametersGrad,
    variant: `chunks ${row.variant}`,
    inputs: {x: type, dy: type},
    outputs: {sums: type},
    uniforms: {
      numRows: 'u32',
      length: 'u32',
      size: 'f32',
      epsilon: 'f32',
      chunks: 'u32',
      rowsPerChunk: 'u32',
    },
    workgroupSize,
    declarations: () => row.reduction({name: 'sumOverRow', type: 'f32'}),
    main: () => `
      let chunk = group % uniforms.chunks;
      let columnBegin = group / uniforms.chunks * ${row.slots * workgroupSize}u;
      ${row.eachSlot((slot) => `var gamma_${slot} = ${type}(); var beta_${slot} = ${type}();`)}
      let rowEnd = min((chunk + 1) * uniforms.rowsPerChunk, uniforms.numRows);
      for (var row = chunk * uniforms.rowsPerChunk; row < rowEnd; row++) {
        let begin = row * uniforms.length;
        let rowLength = uniforms.length;
        ${row.read(x)}
        ${rowStatistics(row, x)}
        ${row.eachSlot(
          (slot) => `
            {
              let at = columnBegin + lane + ${slot * workgroupSize}u;
              if (at < uniforms.length) {
                let normal = (${row.inRegisters ? `x_${slot}` : 'x[begin + at]'} - mean) * scale;
                let gradient = dy[begin + at];
                gamma_${slot} += gradient * normal;
                beta_${slot} += gradient;
              }
            }`,
        )}
      }
      ${row.eachSlot(
        (slot) => `
          {
            let at = columnBegin + lane + ${slot * workgroupSize}u;
            if (at < uniforms.length) {
              sums[2u * chunk * uniforms.length + at] = gamma_${slot};
              sums[(2u * chunk + 1u) * uniforms.length + at] = beta_${slot};
            }
          }`,
      )}`,
  };
}

export const layerNormParametersGradConfig = kernelConfig<
  LayerNormParametersGradInputs,
  LayerNormParametersGradAttrs,
  WebGPUBackend
>(LayerNormParametersGrad, 'webgpu', ({inputs: {x, dy}, attrs: {epsilon}, backend}) => {
  const [numRows, size] = x.shape;
  const dgamma = makeOutput(backend, [size]);
  const dbeta = makeOutput(backend, [size]);
  const row = RowLanes.ofWorkgroup(size);
  const rowsPerChunk = Math.ceil(numRows / MAX_CHUNKS);
  const chunks = numRows === 0 ? 0 : Math.ceil(numRows / rowsPerChunk);
  const sums = makeOutput(backend, [chunks, 2, size]);
  runProgram(backend, chunkSumsProgram(row), {
    inputs: {x, dy},
    outputs: {sums},
    uniforms: {numRows, length: row.length, size, epsilon, chunks, rowsPerChunk},
    workgroups: chunks * Math.ceil(row.length / (row.slots * row.workgroupSize)),
  });
  sumChunks(backend, LayerNormParametersGrad, sums, dgamma, dbeta);
  backend.disposeData(sums.dataId);
  return [dgamma, dbeta];
});
