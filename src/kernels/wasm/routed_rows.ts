import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {PermutationAttrs, PermutationIndex} from '../../kernel_names';
import {numRoutedRows, type Permutation, readPermutation, rowOfCopy} from '../shared/permutation';
import {withScratch} from './assembly_module';
import {address, ints, intsAt} from './wasm_util';

/** Which routed row each copy of each token has, as the kernels on the heap take it. */
export interface RoutedRows {
  permutation: Permutation;
  numTokens: number;
  /** The row of each copy, and its address. */
  rows: Int32Array;
  index: number;
  numRows: number;
  /** The address of the weight of each copy; 0 where there are none. */
  weights: number;
}

/** Calls `f` with the routed rows; they and all views of the heap are to be taken inside it. */
export function withRoutedRows(
  backend: BackendWasm,
  {weights, ...inputs}: PermutationIndex & {weights?: TensorInfo},
  attrs: PermutationAttrs,
  f: (rows: RoutedRows) => void,
) {
  const numCopies = inputs.indices.shape[0];
  withScratch(backend, Int32Array.BYTES_PER_ELEMENT * numCopies, (index) => {
    const permutation = readPermutation(inputs, attrs, (x) => ints(backend, x));
    f({
      permutation,
      rows: rowOfCopy(permutation, intsAt(backend, index, numCopies)),
      numTokens: numCopies / attrs.topK,
      index,
      numRows: numRoutedRows(permutation),
      weights: weights == null ? 0 : address(backend, weights),
    });
  });
}
