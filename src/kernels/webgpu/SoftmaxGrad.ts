import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {SoftmaxGrad, type SoftmaxGradInputs} from '../../kernel_names';
import {sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {RowLanes} from './row_lanes';

/** With p = sum(y dy) over the row, (dy - p) y. */
function softmaxGradProgram(lanes: RowLanes): Program {
  const {type, workgroupSize} = lanes;
  return {
    name: SoftmaxGrad,
    variant: lanes.variant,
    inputs: {y: type, dy: type},
    outputs: {dlogits: type},
    uniforms: {numRows: 'u32', length: 'u32'},
    workgroupSize,
    declarations: () => lanes.reduction({name: 'sumOverRow', type: 'f32'}),
    main: () => `
      ${lanes.find}
      var sum = 0.0;
      ${lanes.each(`sum += ${sumOf(type, '(y[begin + at] * dy[begin + at])')};`)}
      let product = sumOverRow(lane, sum);
      ${lanes.each('dlogits[begin + at] = (dy[begin + at] - product) * y[begin + at];')}`,
  };
}

export const softmaxGradConfig = kernelConfig<SoftmaxGradInputs, object, WebGPUBackend>(
  SoftmaxGrad,
  'webgpu',
  ({inputs: {y, dy}, backend}): TensorInfo => {
    const [numRows, size] = y.shape;
    const dlogits = makeOutput(backend, y.shape);
    const lanes = new RowLanes(size);
    runProgram(backend, softmaxGradProgram(lanes), {
      inputs: {y, dy},
      outputs: {dlogits},
      uniforms: {numRows, length: lanes.length},
      workgroups: lanes.workgroups(numRows),
    });
    return dlogits;
  },
);
