import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {kernelConfig} from '../../kernel';
import {Cumsum, type CumsumAttrs, type CumsumInputs} from '../../kernel_names';
import {type Program, runProgram} from './program';

/** How many sums a pass adds up: after n passes an element holds those of TERMS ** n. */
const TERMS = 16;

/** Sums beyond 2^24 are not exact; those of counts are, as fewer elements are counted. */
const PROGRAM: Program = {
  name: Cumsum,
  inputs: {x: 'flat'},
  layout: 'flat',
  outputs: ['sum'],
  uniforms: {length: 'int', stride: 'int', first: 'int'},
  main: `
    int position = index % length;
    int total = 0;
    for (int i = 0; i < ${TERMS}; i++) {
      int back = first + i * stride;
      if (back > position) {
        break;
      }
      total += xInt(index - back);
    }
    sum = float(total);`,
};

export const cumsumConfig = kernelConfig<CumsumInputs, CumsumAttrs, MathBackendWebGL>(
  Cumsum,
  'webgl',
  ({inputs: {x}, attrs: {exclusive}, backend}) => {
    const length = x.shape[x.shape.length - 1];
    let sum = x;
    for (let stride = 1; stride === 1 || stride < length; stride *= TERMS) {
      const next = runProgram(backend, PROGRAM, {
        inputs: {x: sum},
        shape: x.shape,
        dtype: 'int32',
        uniforms: {length, stride, first: exclusive && stride === 1 ? 1 : 0},
      });
      if (sum !== x) {
        backend.disposeIntermediateTensorInfo(sum);
      }
      sum = next;
    }
    return sum;
  },
);
