import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {Sum, type SumAttrs, type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig, replacedKernel} from '../../kernel';
import {sumColumns} from './column_sums';
import {fill} from './fill';
import {sumOf} from './float_wgsl';
import {makeOutput, type Program, runProgram} from './program';
import {isShortRow, RowLanes} from './row_lanes';

function sumOfShortRowsProgram(lanes: RowLanes): Program {
  const {type, variant, workgroupSize} = lanes;
  const x = lanes.value('x', 'x[begin + at]');
  return {
    name: Sum,
    variant: `short rows ${variant}`,
    inputs: {x: type},
    outputs: {y: 'f32'},
    uniforms: {numRows: 'u32', length: 'u32'},
    workgroupSize,
    declarations: () => lanes.reduction({name: 'sumOverRow', type: 'f32'}),
    main: () => `
      ${lanes.find}
      ${lanes.read(x)}
      var sum = 0.0;
      ${lanes.forEach((get) => `sum += ${sumOf(type, get(x))};`)}
      let whole = sumOverRow(lane, sum);
      if (row < uniforms.numRows) { y[row] = whole; }`,
  };
}

/**
 * tf.sum over the leading axes, as in the gradient of every bias: tfjs' own turns the tensor first, and
 * then gives each column to one workgroup; and over short last axes: tfjs' own gives a workgroup to each
 * row. Other sums are left to it.
 */
export const sumConfig = kernelConfig<Record<'x', TensorInfo>, SumAttrs, WebGPUBackend>(
  Sum,
  'webgpu',
  (args) => {
    const {
      inputs: {x},
      attrs: {axis, keepDims},
      backend,
    } = args;
    const axes = util.parseAxisParam(axis, x.shape).sort((a, b) => a - b);
    const numKept = x.shape.length - axes.length;
    const isSome = axes.length > 0 && numKept > 0 && x.dtype === 'float32';
    const shape = x.shape.flatMap((size, a) => (!axes.includes(a) ? [size] : keepDims ? [1] : []));
    if (isSome && axes.every((a, i) => a === i)) {
      const [numRows, size] = split(x.shape, axes.length);
      const y = makeOutput(backend, shape);
      if (numRows === 0) {
        fill(backend, Sum, y, 0);
      } else {
        sumColumns(backend, Sum, {x, y, numRows, size});
      }
      return y;
    }
    const [numRows, size] = split(x.shape, numKept);
    if (isSome && axes.every((a, i) => a === numKept + i) && size > 0 && isShortRow(size)) {
      const y = makeOutput(backend, shape);
      const lanes = RowLanes.ofAny(size);
      runProgram(backend, sumOfShortRowsProgram(lanes), {
        inputs: {x},
        outputs: {y},
        uniforms: {numRows, length: lanes.length},
        workgroups: lanes.workgroups(numRows),
      });
      return y;
    }
    return replacedKernel(Sum, 'webgpu')(args);
  },
);

/** The sizes of the first axes and of the others, each as one. */
function split(shape: number[], numFirst: number): [number, number] {
  return [util.sizeFromShape(shape.slice(0, numFirst)), util.sizeFromShape(shape.slice(numFirst))];
}
