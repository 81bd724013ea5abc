import {engine, type KernelConfig} from '@tensorflow/tfjs-core';
import {replaceKernels} from './kernel';
import {fastMatMulConfigs as wasm} from './kernels/wasm/fast_mat_mul';
import {fastMatMulConfigs as webgpu} from './kernels/webgpu/fast_mat_mul';

const FAST_MAT_MUL: Record<string, KernelConfig[]> = {wasm, webgpu};

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
 * On webgpu this one multiplies as the device was set up, so on matrix units where `setupWebGPU` was asked
 * for half precision.
 *
 * @returns Whether the backend in use has a faster product; where it has not, nothing changes.
 */
export function useFastMatMul(): boolean {
  const backendName = engine().backend && engine().backendName;
  const configs = FAST_MAT_MUL[backendName] ?? [];
  replaceKernels(configs);
  return configs.length > 0;
}
