import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import {kernelConfig} from '../../kernel';
import {Sort, type SortAttrs, type SortInputs} from '../../kernel_names';
import {type Digit, digitsOf, type Pairs, sort} from '../shared/Sort_impl';
import {ints} from './cpu_util';

export const sortConfig = kernelConfig<SortInputs, SortAttrs, MathBackendCPU>(
  Sort,
  'cpu',
  ({inputs: {keys}, attrs: {endBit}, backend}) => {
    const makePairs = () => ({
      keys: new Int32Array(keys.shape[0]),
      indices: new Int32Array(keys.shape[0]),
    });
    const result = makePairs();
    sort(ints(backend, keys), digitsOf(endBit), result, makePairs, sortByDigit);
    return [result.keys, result.indices].map((out) =>
      backend.makeTensorInfo(keys.shape, 'int32', out),
    );
  },
);

/** Stable counting sort. */
function sortByDigit(
  {shift, bits}: Digit,
  {keys, indices}: {keys: Int32Array; indices?: Int32Array},
  to: Pairs<Int32Array>,
) {
  const mask = 2 ** bits - 1;
  // With the sign bit flipped, negative keys come before the others.
  const flip = shift + bits === 32 ? 1 << (bits - 1) : 0;
  const next = new Int32Array(2 ** bits);
  for (let i = 0; i < keys.length; i++) {
    next[((keys[i] >>> shift) & mask) ^ flip]++;
  }
  for (let digit = 0, begin = 0; digit < next.length; digit++) {
    const count = next[digit];
    next[digit] = begin;
    begin += count;
  }
  for (let i = 0; i < keys.length; i++) {
    const position = next[((keys[i] >>> shift) & mask) ^ flip]++;
    to.keys[position] = keys[i];
    to.indices[position] = indices == null ? i : indices[i];
  }
}
