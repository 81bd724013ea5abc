import type {GradConfig, NamedAttrMap, Tensor} from '@tensorflow/tfjs-core';
import {runKernel} from '../kernel';
import {GroupedMatMul, type GroupedMatMulAttrs, type GroupedMatMulInputs} from '../kernel_names';

/** Itself, transposed: of y = a b, da = dy b' and db = a' dy; of w = a' b, da = b w' and db = a w. */
export const groupedMatMulGradConfig: GradConfig = {
  kernelName: GroupedMatMul,
  inputsToSave: ['a', 'b', 'bins'],
  gradFunc: (dy: Tensor | Tensor[], [a, b, bins]: Tensor[], attrs: NamedAttrMap) => {
    const {transposeA, transposeB, precision} = attrs as unknown as GroupedMatMulAttrs;
    const product = (x: Tensor, y: Tensor, transposeX: boolean, transposeY: boolean) =>
      runKernel<GroupedMatMulInputs, GroupedMatMulAttrs>(
        GroupedMatMul,
        {a: x, b: y, bins},
        {transposeA: transposeX, transposeB: transposeY, precision},
      );
    const grad = dy as Tensor;
    if (transposeA) {
      return {a: () => product(b, grad, false, true), b: () => product(a, grad, false, false)};
    }
    return {
      a: () => product(grad, b, false, !transposeB),
      b: () => (transposeB ? product(grad, a, true, false) : product(a, grad, true, false)),
    };
  },
};
