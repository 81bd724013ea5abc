import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {runProgram} from './program';

/** Bins [E] in which a search finds its way: one that ends before it begins is empty, and ends there. */
export function ascendingBins(
  backend: MathBackendWebGL,
  kernelName: string,
  bins: TensorInfo,
): TensorInfo {
  return runProgram(
    backend,
    {
      name: kernelName,
      inputs: {bins: 'flat'},
      layout: 'flat',
      outputs: ['end'],
      main: `
        for (int i = 0; i <= index; i++) {
          end = max(end, bins(i));
        }`,
    },
    {inputs: {bins}, shape: bins.shape, dtype: 'int32'},
  );
}
