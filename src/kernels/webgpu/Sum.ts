import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {Sum, type SumAttrs, type TensorInfo, util} from '@tensorflow/tfjs-core';
import {kernelConfig, replacedKernel} from '../../kernel';
import {sumColumns} from './column_sums';
import {fill} from './fill';
import {makeOutput} from './program';

/**
 * tf.sum over the leading axes, as in the gradient of every bias: tfjs' own turns the tensor first, and
 * then gives each column to one workgroup. Other sums are left to it.
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
    const kept = x.shape.slice(axes.length);
    const isLeading = axes.length > 0 && axes.every((a, i) => a === i);
    const [numRows, size] = [x.shape.slice(0, axes.length), kept].map(util.sizeFromShape);
    if (!isLeading || kept.length === 0 || x.dtype !== 'float32') {
      return replacedKernel(Sum, 'webgpu')(args);
    }
    const y = makeOutput(backend, keepDims ? [...axes.map(() => 1), ...kept] : kept);
    if (numRows === 0) {
      fill(backend, Sum, y, 0);
    } else {
      sumColumns(backend, Sum, {x, y, numRows, size});
    }
    return y;
  },
);
