import type {BackendWasm} from '@tensorflow/tfjs-backend-wasm';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import type {MatMulProblem} from '../shared/mat_mul';
import {assembly, withScratch} from './assembly_module';
import {address} from './wasm_util';

const BYTES_PER_FLOAT = 4;

/** The SIMD product of matrices at three addresses of the heap. */
export function matMulAt(backend: BackendWasm, scratch: number) {
  const {gemm} = assembly(backend);
  return (a: number, b: number, c: number, problem: MatMulProblem) =>
    gemm(
      problem.m,
      problem.n,
      problem.k,
      a + problem.aOffset * BYTES_PER_FLOAT,
      problem.aRowStride,
      problem.aColumnStride,
      b + problem.bOffset * BYTES_PER_FLOAT,
      problem.bRowStride,
      problem.bColumnStride,
      c + problem.cOffset * BYTES_PER_FLOAT,
      problem.cRowStride,
      problem.accumulate,
      scratch,
    );
}

/** Calls `f` with the SIMD product of three tensors. */
export function withMatMul(
  backend: BackendWasm,
  a: TensorInfo,
  b: TensorInfo,
  c: TensorInfo,
  f: (matMul: (problem: MatMulProblem) => void) => void,
) {
  withScratch(backend, assembly(backend).gemmScratchBytes(), (scratch) => {
    const matMul = matMulAt(backend, scratch);
    const [aAddress, bAddress, cAddress] = [a, b, c].map((x) => address(backend, x));
    f((problem) => matMul(aAddress, bAddress, cAddress, problem));
  });
}
