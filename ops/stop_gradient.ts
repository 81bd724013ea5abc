import {engine, type Tensor} from '@tensorflow/tfjs-core';
import {assertTensor} from '../src/asserts';

/**
 * The same values, cut from the tape: no gradient flows through the result.
 *
 * ```js
 * tf.grad((x) => tf.mul(x, stopGradient(x)))(tf.scalar(3)).print();  // 3
 * ```
 *
 * Nothing is copied: both tensors share their data, and each is disposed on its own.
 *
 * @param t Any shape and dtype.
 * @returns In the shape and dtype of `t`.
 * @throws If `t` is not a tensor.
 */
export function stopGradient<T extends Tensor>(t: T): T {
  assertTensor('stopGradient', 't', t);
  const {dataId, shape, dtype} = t;
  // A tensor that no kernel on the tape has made has no path back.
  engine().backend.incRef(dataId);
  return engine().makeTensorFromTensorInfo({dataId, shape, dtype}) as T;
}
