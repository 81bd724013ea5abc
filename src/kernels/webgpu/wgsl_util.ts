import type {TensorInfo} from '@tensorflow/tfjs-core';

/** The WGSL type of the elements of a tensor. */
export function wgslType({dtype}: TensorInfo): 'f32' | 'i32' {
  return dtype === 'float32' ? 'f32' : 'i32';
}
