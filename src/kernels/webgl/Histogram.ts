import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {util} from '@tensorflow/tfjs-core';
import {kernelConfig} from '../../kernel';
import {Histogram, type HistogramAttrs, type HistogramInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';
import {assertCountable} from './textures';

/** Element [row, part, value] is how often a value occurs in a part of its row. */
const COUNT_PARTS: Program = {
  name: Histogram,
  inputs: {x: 'flat'},
  layout: 'flat',
  outputs: ['count'],
  uniforms: {size: 'int', partSize: 'int', numParts: 'int', maximum: 'int'},
  main: `
    int value = index % maximum;
    int part = index / maximum % numParts;
    int row = index / maximum / numParts;
    int end = min((part + 1) * partSize, size);
    for (int i = part * partSize; i < end; i++) {
      count += xInt(row * size + i) == value ? 1.0 : 0.0;
    }`,
};

const ADD_PARTS: Program = {
  name: Histogram,
  inputs: {parts: 'flat'},
  layout: 'flat',
  outputs: ['count'],
  uniforms: {numParts: 'int', maximum: 'int'},
  main: `
    int row = index / maximum;
    for (int part = 0; part < numParts; part++) {
      count += parts((row * numParts + part) * maximum + index % maximum);
    }`,
};

export const histogramConfig = kernelConfig<HistogramInputs, HistogramAttrs, MathBackendWebGL>(
  Histogram,
  'webgl',
  ({inputs: {x}, attrs: {max}, backend}) => {
    const size = x.shape[x.shape.length - 1];
    assertCountable(Histogram, size);
    const shape = [...x.shape.slice(0, -1), max];
    // As many parts as a part has elements, so that both programs take as long.
    const partSize = Math.max(1, Math.ceil(Math.sqrt(size)));
    const numParts = Math.ceil(size / partSize);
    const parts = runProgram(backend, COUNT_PARTS, {
      inputs: {x},
      shape: [util.sizeFromShape(shape) * numParts],
      dtype: 'int32',
      uniforms: {size, partSize, numParts, maximum: max},
    });
    const counts = runProgram(backend, ADD_PARTS, {
      inputs: {parts},
      shape,
      dtype: 'int32',
      uniforms: {numParts, maximum: max},
    });
    backend.disposeIntermediateTensorInfo(parts);
    return counts;
  },
);
