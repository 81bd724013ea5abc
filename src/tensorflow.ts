import {loadNative} from 'tfjs-megablocks/native';
import './kernels/tensorflow/register_all_kernels';

// What `tfjs-megablocks/tensorflow` exports: importing it loads tfjs-node (or tfjs-node-gpu) and this
// library's TensorFlow ops, and registers the kernels that run them.

/** The TensorFlow that was found. */
export interface TensorFlowInfo {
  /** Which package it came with: '@tensorflow/tfjs-node' or '@tensorflow/tfjs-node-gpu'. */
  package: string;
  /** The version of libtensorflow. */
  version: string;
  /** What it can compute on. The ops of this library run on the CPU. */
  devices: readonly ('CPU' | 'GPU')[];
  /** The instructions that the ops use: 'avx512', 'avx2' or 'baseline'. MEGABLOCKS_SIMD can choose. */
  instructions: string;
  /** The threads that they use; MEGABLOCKS_THREADS can set it. */
  threads: number;
}

/**
 * The TensorFlow that the `tensorflow` backend runs on.
 *
 * ```js
 * import * as tf from '@tensorflow/tfjs-node';
 * import {tensorflow} from 'tfjs-megablocks/tensorflow';
 *
 * console.log(tensorflow.version, tensorflow.devices);
 * ```
 *
 * The import throws where tfjs-node is missing or does not load, where the ops have not been built
 * (`npm run build:native`), and where they do not fit its libtensorflow; the message says what to do.
 */
export const tensorflow: TensorFlowInfo = loadNative();
