import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import {kernelConfig} from '../../kernel';
import {Sort, type SortAttrs, type SortInputs} from '../../kernel_names';
import {digitsOf, sort} from '../shared/Sort_impl';
import {assembly, withScratch} from './assembly_module';
import {address, makeOutput} from './wasm_util';

const BYTES_PER_INT = Int32Array.BYTES_PER_ELEMENT;

export const sortConfig = kernelConfig<SortInputs, SortAttrs, BackendWasm>(
  Sort,
  'wasm',
  ({inputs: {keys}, attrs: {endBit}, backend}) => {
    const size = keys.shape[0];
    const sorted = makeOutput(backend, keys.shape, 'int32');
    const indices = makeOutput(backend, keys.shape, 'int32');
    const digits = digitsOf(endBit);
    const listBytes = BYTES_PER_INT * size;
    const countBytes = BYTES_PER_INT * 2 ** digits[0].bits;
    const scratchBytes = countBytes + (digits.length > 1 ? 2 * listBytes : 0);
    withScratch(backend, scratchBytes, (counts) => {
      const {sortByDigit} = assembly(backend);
      const result = {keys: address(backend, sorted), indices: address(backend, indices)};
      const list = counts + countBytes;
      sort(
        address(backend, keys),
        digits,
        result,
        () => ({keys: list, indices: list + listBytes}),
        ({shift, bits}, from, to) =>
          sortByDigit(size, shift, bits, from.keys, from.indices ?? 0, to.keys, to.indices, counts),
      );
    });
    return [sorted, indices];
  },
);
