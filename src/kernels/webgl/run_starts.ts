import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {runProgram} from './program';
import {upperBound} from './search_glsl';

/** sorted [N], ascending -> [numValues]: where the elements of value i or more begin. */
export function runStarts(
  backend: MathBackendWebGL,
  kernelName: string,
  sorted: TensorInfo,
  numValues: number,
): TensorInfo {
  return runProgram(
    backend,
    {
      name: kernelName,
      inputs: {sorted: 'flat'},
      layout: 'flat',
      outputs: ['start'],
      declarations: upperBound('sorted'),
      main: 'start = float(upperBound_sorted(index - 1));',
    },
    {inputs: {sorted}, shape: [numValues], dtype: 'int32'},
  );
}
