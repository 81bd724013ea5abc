import {loadNative} from 'tfjs-megablocks/native';
import {assertOneOf} from './asserts';
import {
  setInitialPrecision,
  TENSORFLOW_PRECISIONS,
  type TensorFlowPrecision,
} from './kernels/tensorflow/precision';
import './kernels/tensorflow/register_all_kernels';

export type {TensorFlowPrecision} from './kernels/tensorflow/precision';

// What `tfjs-megablocks/tensorflow` exports: importing it loads tfjs-node (or tfjs-node-gpu) and this
// library's TensorFlow ops, and registers the kernels that run them.

/** The TensorFlow that was found. */
export interface TensorFlowInfo {
  /** Which package it came with: '@tensorflow/tfjs-node' or '@tensorflow/tfjs-node-gpu'. */
  package: string;
  /** The version of libtensorflow. */
  version: string;
  /** What it computes on: with a GPU, everything runs there for which there is a kernel. */
  devices: readonly ('CPU' | 'GPU')[];
  /** The instructions that the ops use: 'avx512', 'avx2' or 'baseline'. MEGABLOCKS_SIMD can choose. */
  instructions: string;
  /** The threads that they use; MEGABLOCKS_THREADS can set it. */
  threads: number;
  /** How the ops run on GPUs; missing where they were built without nvcc, for the CPU alone. */
  cuda?: {
    /** The version of CUDA that they were built with. */
    version: string;
    /**
     * Where they are launched: 'tensorflow', on its own stream; 'device' where its C++ headers were not
     * there, which waits for the device before and after every op: correct, and slower.
     */
    stream: 'tensorflow' | 'device';
    /** Every GPU that CUDA sees, with its compute capability, which must be 8.0 or newer. */
    gpus: readonly string[];
    /** Why the ops run on no GPU, where they do not. */
    problem?: string;
  };
}

/**
 * The TensorFlow that the `tensorflow` backend runs on.
 *
 * ```js
 * import {tensorflow} from 'tfjs-megablocks/tensorflow';
 * import * as tf from '@tensorflow/tfjs-node';
 *
 * console.log(tensorflow.version, tensorflow.devices);
 * ```
 *
 * The import throws where tfjs-node is missing or does not load, where the ops have not been built
 * (`npm run build:native`), and where they do not fit its libtensorflow; the message says what to do.
 */
export const tensorflow: TensorFlowInfo = loadNative();

/**
 * Sets how products multiply on a GPU where nothing else is said: `'float32'` at first; `'tf32'` and
 * `'bfloat16'` round the operands, sum in float32, and are faster. A layer or op that says `precision:
 * 'float16'` multiplies in bfloat16, one that says `'float32'` in float32. The CPU always multiplies in
 * float32. Of TensorFlow's own products this says nothing: they multiply in TF32 on GPUs that can, unless
 * the process starts with `NVIDIA_TF32_OVERRIDE=0`.
 *
 * @throws If it is none of these.
 */
export function setTensorFlowPrecision(precision: TensorFlowPrecision) {
  assertOneOf('setTensorFlowPrecision', 'precision', precision, TENSORFLOW_PRECISIONS);
  setInitialPrecision(precision);
}
