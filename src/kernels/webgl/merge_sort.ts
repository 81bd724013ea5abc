import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type Program, runWithOutputs} from './program';
import {assertCountable} from './textures';

// A stable merge sort in which every element of a merged run finds its source by itself: no histogram,
// no scatter, and one program for every size and pass.

const DECLARATIONS = `
  // The low bits alone count, unsigned; all 32 of them are a signed integer.
  int keyAt(int i) {
    return keysInt(i) & mask;
  }`;

/**
 * Merges neighbouring runs. Position p of the merged run takes `taken` elements of the first run before
 * it, the only number for which both runs are in order: a binary search.
 */
function mergeProgram(name: string, isFirst: boolean): Program {
  return {
    name,
    inputs: isFirst ? {keys: 'flat'} : {keys: 'flat', indices: 'flat'},
    layout: 'flat',
    outputs: ['sorted', 'origin'],
    uniforms: {run: 'int', mask: 'int'},
    declarations: DECLARATIONS,
    main: `
      int begin = index / (2 * run) * (2 * run);
      int middle = min(begin + run, keys_size);
      int end = min(middle + run, keys_size);
      int position = index - begin;
      int low = max(0, position - (end - middle));
      int high = min(position, middle - begin);
      while (low < high) {
        int taken = (low + high) / 2;
        if (keyAt(begin + taken) <= keyAt(middle + position - taken - 1)) {
          low = taken + 1;
        } else {
          high = taken;
        }
      }
      int first = begin + low;
      int second = middle + position - low;
      bool isFirst = second >= end || (first < middle && keyAt(first) <= keyAt(second));
      int source = isFirst ? first : second;
      sorted = keys(source);
      origin = ${isFirst ? 'float(source)' : 'indices(source)'};`,
  };
}

/** keys [N] -> sorted [N], permutation [N]: stable, by the low `endBit` bits, all 32 of them signed. */
export function mergeSort(
  backend: MathBackendWebGL,
  kernelName: string,
  keys: TensorInfo,
  endBit: number,
): TensorInfo[] {
  const [size] = keys.shape;
  assertCountable(kernelName, size);
  const mask = endBit === 32 ? -1 : 2 ** endBit - 1;
  let pairs: TensorInfo[] = [];
  for (let run = 1; run === 1 || run < size; run *= 2) {
    const [sorted = keys, indices] = pairs;
    const merged = runWithOutputs(backend, mergeProgram(kernelName, run === 1), {
      inputs: run === 1 ? {keys} : {keys: sorted, indices},
      shape: [size],
      dtype: 'int32',
      uniforms: {run, mask},
    });
    pairs.forEach((pair) => backend.disposeIntermediateTensorInfo(pair));
    pairs = merged;
  }
  return pairs;
}
