import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {kernelConfig} from '../../kernel';
import {LayerNorm, type LayerNormAttrs, type LayerNormInputs} from '../../kernel_names';
import {rowStatistics} from './layer_norm_wgsl';
import {magnitudeRecord} from './magnitude_wgsl';
import {recordMagnitude} from './magnitudes';
import {makeOutput, type Program, runProgram} from './program';
import {RowLanes} from './row_lanes';

/**
 * One workgroup a row: it reads the row once and sums over it twice.
 *
 * @param records Whether the largest magnitude of the result is recorded.
 */
function layerNormProgram(row: RowLanes, records: boolean): Program {
  const {type, workgroupSize} = row;
  const record = magnitudeRecord('y', type, records);
  const x = row.value('x', 'x[begin + at]');
  return {
    name: LayerNorm,
    variant: row.variant + record.variant,
    inputs: {x: type, gamma: type, beta: type},
    outputs: {y: type, ...record.outputs},
    uniforms: {numRows: 'u32', length: 'u32', size: 'f32', epsilon: 'f32', ...record.uniforms},
    uniformsChange: records,
    workgroupSize,
    declarations: () => row.reduction({name: 'sumOverRow', type: 'f32'}) + record.declarations,
    main: () => `
      ${row.find}
      ${row.read(x)}
      ${rowStatistics(row, x)}
      ${record.begin}
      ${row.forEach(
        (get) => `
          let value = (${get(x)} - mean) * scale * gamma[at] + beta[at];
          y[begin + at] = value;
          ${record.join('value')}`,
      )}
      ${record.end}`,
  };
}

export const layerNormConfig = kernelConfig<LayerNormInputs, LayerNormAttrs, WebGPUBackend>(
  LayerNorm,
  'webgpu',
  ({inputs: {x, gamma, beta}, attrs: {epsilon}, backend}) => {
    const [numRows, size] = x.shape;
    const y = makeOutput(backend, x.shape);
    const row = RowLanes.ofWorkgroup(size);
    const record = recordMagnitude(backend, y);
    runProgram(backend, layerNormProgram(row, record != null), {
      inputs: {x, gamma, beta},
      outputs: {y, ...record?.outputs},
      uniforms: {numRows, length: row.length, size, epsilon, ...record?.uniforms},
      workgroups: row.workgroups(numRows),
    });
    return y;
  },
);
