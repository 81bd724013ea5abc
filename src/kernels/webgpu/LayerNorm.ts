import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../../kernel_names';
import {rowStatistics} from './layer_norm_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {WorkgroupRow} from './workgroup_row';
import {workgroupReduction} from './workgroup_reduction';

/** One workgroup a row: it reads the row once and sums over it twice. */
function layerNormProgram(row: WorkgroupRow): Program {
  const {type, workgroupSize} = row;
  const x = row.value('x', 'x[begin + at]');
  return {
    name: LayerNorm,
    variant: row.variant,
    inputs: {x: type, gamma: type, beta: type},
    outputs: {y: type},
    uniforms: {numRows: 'u32', length: 'u32', size: 'f32', epsilon: 'f32'},
    workgroupSize,
    declarations: () => workgroupReduction({name: 'sumOverRow', type: 'f32', size: workgroupSize}),
    main: () => `
      if (group >= uniforms.numRows) { return; }
      let begin = group * uniforms.length;
      ${row.read(x)}
      ${rowStatistics(row, x)}
      ${row.forEach(
        (get) => `y[begin + at] = (${get(x)} - mean) * scale * gamma[at] + beta[at];`,
      )}`,
  };
}

export const layerNormConfig = kernelConfig<LayerNormInputs, LayerNormAttrs, WebGPUBackend>(
  LayerNorm,
  'webgpu',
  ({inputs: {x, gamma, beta}, attrs: {epsilon}, backend}) => {
    const [numRows, size] = x.shape;
    const y = makeOutput(backend, x.shape);
    const row = new WorkgroupRow(size);
    runProgram(backend, layerNormProgram(row), {
      inputs: {x, gamma, beta},
      outputs: {y},
      uniforms: {numRows, length: row.length, size, epsilon},
      workgroups: numRows,
    });
    return y;
  },
);
