import {engine, type KernelConfig} from '@tensorflow/tfjs-core';
import {replaceKernels} from './kernel';

/** By the backend's name; each comes with its backend's kernels. */
const fastMatMuls = new Map<string, readonly KernelConfig[]>();

/** Says what `useFastMatMul` puts in the place of a backend's own products. */
export function provideFastMatMul(backendName: string, configs: readonly KernelConfig[]) {
  fastMatMuls.set(backendName, configs);
}

/**
 * Puts this library's product of matrices in the place of tfjs' own on the backend in use, for
 * everything that multiplies matrices: tf.matMul, dense layers, attention and all their gradients.
 *
 * ```js
 * await tf.setBackend('wasm');
 * useFastMatMul();
 * ```
 *
 * On wasm, tfjs' own product is 14 to 70 times slower as soon as an operand is transposed, as both are
 * in every backward pass of a dense layer; this one is not. There it also ends the copies that the tape
 * makes of every operand it keeps for the backward pass. Call it once, after the backend was set;
 * calling it again changes nothing. Results differ from tfjs' by float32 rounding only.
 *
 * Integers, and tf.fused.matMul with a bias of several rows, are left to tfjs' own.
 *
 * On webgl this one reads half as much: a fragment computes sixteen elements, not four.
 *
 * On webgpu this one multiplies as the device was set up, so on matrix units where `setupWebGPU` was asked
 * for half precision. There it also sums over leading axes, as the gradients of biases do, and over short last
 * ones in one pass, and ends the copies of weights that tf.layers.dense makes where its input has three
 * axes.
 *
 * @returns Whether the backend in use has a faster product; where it has not, nothing changes.
 */
export function useFastMatMul(): boolean {
  const backendName = engine().backend && engine().backendName;
  const configs = fastMatMuls.get(backendName) ?? [];
  replaceKernels(configs);
  return configs.length > 0;
}
