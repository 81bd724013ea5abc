import type {SparseMatrix} from '../ops/sparse_matrix';
import type {SparseTopology} from '../ops/sparse_topology';
import {assert} from './asserts';
import type {SparseIndex, SparseSize} from './kernel_names';

// How the ops hand a block-sparse operand to a kernel. Checked by structure, not by class: several
// copies of this package may meet in a process.

export function assertSparseMatrix(op: string, name: string, x: SparseMatrix) {
  assert(
    x?.values != null && x.topology != null,
    () => `${op}: ${name} must be a SparseMatrix, got ${kindOf(x)}`,
  );
}

export function assertSparseTopology(op: string, x: SparseTopology) {
  assert(
    x?.columnIndices != null && x.offsetsT != null,
    () => `${op}: topology must be a SparseTopology, got ${kindOf(x)}`,
  );
}

export function assertBlockable(
  op: string,
  name: string,
  shape: readonly number[],
  blockSize: number,
) {
  assert(
    shape.every((size) => size % blockSize === 0),
    () => `${op}: ${name} must be a multiple of the block size, ${blockSize}, got [${shape}]`,
  );
}

/** The index of an operand, among the inputs of a kernel. */
export function sparseIndex(topology: SparseTopology): SparseIndex {
  const {rowIndices, columnIndices, offsets, columnIndicesT, offsetsT, blockOffsetsT} = topology;
  return {rowIndices, columnIndices, offsets, columnIndicesT, offsetsT, blockOffsetsT};
}

/** The size of an operand, among the attributes of a kernel. */
export function sparseSize({
  shape: [sparseRows, sparseColumns],
  blockSize,
}: SparseTopology): SparseSize {
  return {sparseRows, sparseColumns, blockSize};
}

function kindOf(x: unknown): string {
  return x instanceof Object ? `a ${x.constructor.name}` : String(x);
}
