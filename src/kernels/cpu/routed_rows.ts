import type {MathBackendCPU} from '@tensorflow/tfjs-backend-cpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {PermutationAttrs, PermutationIndex} from '../../kernel_names';
import {readPermutation, rowOfCopy} from '../shared/permutation';
import {floats, ints} from './cpu_util';
import type {IndexedRows} from './indexed_rows';

/** The routed row of each copy of each token, with its weight where there are weights. */
export function routedRows(
  backend: MathBackendCPU,
  {weights, ...index}: PermutationIndex & {weights?: TensorInfo},
  attrs: PermutationAttrs,
): IndexedRows {
  const permutation = readPermutation(index, attrs, (x) => ints(backend, x));
  return {
    index: rowOfCopy(permutation, new Int32Array(permutation.indices.length)),
    terms: attrs.topK,
    weights: weights && floats(backend, weights),
  };
}
