import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {SoftmaxGrad, type SoftmaxGradInputs} from '../../kernel_names';
import {sumOf} from './float_wgsl';
import {magnitudeRecord} from './magnitude_wgsl';
import {recordMagnitude} from './magnitudes';
import {makeOutput, type Program, runProgram} from './program';
import {RowLanes} from './row_lanes';

/** With p = sum(y dy) over the row, (dy - p) y. */
function softmaxGradProgram(lanes: RowLanes, records: boolean): Program {
  const {type, workgroupSize} = lanes;
  const record = magnitudeRecord('dlogits', type, records);
  const y = lanes.value('y', 'y[begin + at]');
  const dy = lanes.value('dy', 'dy[begin + at]');
  return {
    name: SoftmaxGrad,
    variant: lanes.variant + record.variant,
    inputs: {y: type, dy: type},
    outputs: {dlogits: type, ...record.outputs},
    uniforms: {numRows: 'u32', length: 'u32', ...record.uniforms},
    uniformsChange: records,
    workgroupSize,
    declarations: () => lanes.reduction({name: 'sumOverRow', type: 'f32'}) + record.declarations,
    main: () => `
      ${lanes.find}
      ${lanes.read(y, dy)}
      var sum = 0.0;
      ${lanes.forEach((get) => `sum += ${sumOf(type, `(${get(y)} * ${get(dy)})`)};`)}
      let product = sumOverRow(lane, sum);
      ${record.begin}
      ${lanes.forEach(
        (get) => `
          let value = (${get(dy)} - product) * ${get(y)};
          dlogits[begin + at] = value;
          ${record.join('value')}`,
      )}
      ${record.end}`,
  };
}

export const softmaxGradConfig = kernelConfig<SoftmaxGradInputs, object, WebGPUBackend>(
  SoftmaxGrad,
  'webgpu',
  ({inputs: {y, dy}, backend}): TensorInfo => {
    const [numRows, size] = y.shape;
    const dlogits = makeOutput(backend, y.shape);
    const lanes = RowLanes.ofAny(size);
    const record = recordMagnitude(backend, dlogits);
    runProgram(backend, softmaxGradProgram(lanes, record != null), {
      inputs: {y, dy},
      outputs: {dlogits, ...record?.outputs},
      uniforms: {numRows, length: lanes.length, ...record?.uniforms},
      workgroups: lanes.workgroups(numRows),
    });
    return dlogits;
  },
);
