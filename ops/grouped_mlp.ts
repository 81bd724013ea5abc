import {
  add,
  mul,
  reshape,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tidy,
} from '@tensorflow/tfjs-core';
import {assert, assertBins, assertCount, assertOneOf, assertTensor} from '../src/asserts';
import {hasKernels, runKernel} from '../src/kernel';
import {
  ACTIVATION_NAMES,
  type ActivationName,
  type ExpertsAttrs,
  ExpertsDownGrad,
  type ExpertsDownGradInputs,
  ExpertsUp,
  type ExpertsUpInputs,
  GroupedMlp,
  GroupedMlpGrad,
  type GroupedMlpGradInputs,
  type GroupedMlpInputs,
  PermutedMatMul,
  type PermutedMatMulAttrs,
  type PermutedMatMulInputs,
  type Precision,
} from '../src/kernel_names';
import {withGradient, withoutTape} from '../src/tape';
import {activation as activate} from './activation';
import {gather} from './gather';
import {groupedMatMul} from './grouped_mat_mul';
import {scatter} from './scatter';

const OP = 'groupedMlp';

/** The matrices of all experts. */
export interface GroupedMlpWeights {
  w1: Tensor3D;
  /** Of a glu. */
  v1?: Tensor3D;
  w2: Tensor3D;
}

/** Where each token's copies go. */
export interface GroupedMlpRouting {
  /** The copies, token * K + j, expert after expert, [N], int32. */
  indices: Tensor1D;
  /** The expert of each, [N], int32. */
  binIds: Tensor1D;
  /** Where each expert's copies end, [E], int32. */
  bins: Tensor1D;
  /** K. */
  topK: number;
}

/**
 * The experts of a dropless mixture, whole: each token's copies go to their experts, which compute
 * `act(x w1') w2`, or with v1 `(act(x w1') * (x v1')) w2`, and come back weighted and summed.
 *
 * It is `scatter(groupedMatMul(activation(groupedMatMul(gather(x), w1)), w2))`, and computes just that
 * on a backend without kernels of its own for it: webgpu has them where H and F are multiples of 4, and
 * tensorflow where there is no v1. There no permuted copy is made, and what is kept for the backward pass
 * is x, the weights, the routing and one pre-activation (two of a glu); by tensorflow on a GPU all that lies
 * between, or half of it where it multiplies in bfloat16. Differentiable in x, the weights and `expertWeights`.
 *
 * @param x The tokens, [T, H], float32.
 * @param weights w1, v1 and w2, each [E, F, H], float32.
 * @param expertWeights The factor of each copy, [N], float32, N = T * K.
 * @param routing Where the copies go.
 * @param options `activation`: one with a kernel, 'gelu_new' by default. `precision`: of the products, by
 *     default the backend's.
 * @returns [T, H].
 * @throws If a shape or dtype differs from these.
 * @see megablocks.layers.dmoe.ParallelDroplessMLP.grouped_forward_once; Guo et al., SonicMoE (2025), for
 *     what is fused
 */
export function groupedMlp(
  x: Tensor2D,
  weights: GroupedMlpWeights,
  expertWeights: Tensor1D,
  routing: GroupedMlpRouting,
  {activation = 'gelu_new', precision}: {activation?: ActivationName; precision?: Precision} = {},
): Tensor2D {
  checkArguments(x, weights, expertWeights, routing, activation);
  const compute =
    x.size === 0
      ? unfused
      : hasWholeMlp(weights)
        ? whole
        : hasFusedProducts(weights)
          ? fused
          : unfused;
  return compute(x, weights, expertWeights, routing, activation, precision);
}

/** Whether the backend computes it as one kernel. */
function hasWholeMlp({v1}: GroupedMlpWeights): boolean {
  return v1 == null && hasKernels(GroupedMlp, GroupedMlpGrad);
}

/**
 * Whether the backend's products permute and activate rows themselves, so that no more than the
 * pre-activations is kept for the backward pass of these matrices.
 */
export function hasFusedProducts({w1}: GroupedMlpWeights): boolean {
  const [, ffnHiddenSize, hiddenSize] = w1.shape;
  return (
    hiddenSize % 4 === 0 &&
    ffnHiddenSize % 4 === 0 &&
    hasKernels(ExpertsUp, ExpertsDownGrad, PermutedMatMul)
  );
}

function checkArguments(
  x: Tensor2D,
  {w1, v1, w2}: GroupedMlpWeights,
  expertWeights: Tensor1D,
  {indices, binIds, bins, topK}: GroupedMlpRouting,
  activation: ActivationName,
) {
  assertTensor(OP, 'x', x, {rank: 2, dtype: 'float32'});
  assertTensor(OP, 'w1', w1, {dtype: 'float32', shape: [null, null, x.shape[1]]});
  if (v1 != null) {
    assertTensor(OP, 'v1', v1, {dtype: 'float32', shape: w1.shape});
  }
  assertTensor(OP, 'w2', w2, {dtype: 'float32', shape: w1.shape});
  assertCount(OP, 'topK', topK, {min: 1});
  const shape = [x.shape[0] * topK];
  assertTensor(OP, 'expertWeights', expertWeights, {dtype: 'float32', shape});
  assertTensor(OP, 'indices', indices, {dtype: 'int32', shape});
  assertTensor(OP, 'binIds', binIds, {dtype: 'int32', shape});
  assertBins(OP, bins);
  assert(
    bins.size === w1.shape[0],
    () => `${OP}: bins must have one entry an expert, ${w1.shape[0]}, got ${bins.size}`,
  );
  assertOneOf(OP, 'activation', activation, ACTIVATION_NAMES);
}

function unfused(
  x: Tensor2D,
  {w1, v1, w2}: GroupedMlpWeights,
  expertWeights: Tensor1D,
  {indices, binIds, bins, topK}: GroupedMlpRouting,
  activation: ActivationName,
  precision?: Precision,
): Tensor2D {
  return tidy(() => {
    const rows = gather(x, indices, binIds, bins, topK);
    const up = (w: Tensor3D) => groupedMatMul(rows, w, bins, {transposeB: true, precision});
    const activated = activate(up(w1), activation) as Tensor2D;
    const hidden = v1 == null ? activated : mul<Tensor2D>(activated, up(v1));
    const y = groupedMatMul(hidden, w2, bins, {precision});
    return scatter(y, indices, binIds, expertWeights, bins, topK);
  });
}

function whole(
  x: Tensor2D,
  {w1, w2}: GroupedMlpWeights,
  expertWeights: Tensor1D,
  {indices, bins, topK}: GroupedMlpRouting,
  activation: ActivationName,
  precision?: Precision,
): Tensor2D {
  const attrs: ExpertsAttrs = {activation, topK, precision};
  return tidy(() => {
    // No gradient of the kernel: of what it returns besides y, tfjs would make one of zeros. And made outside
    // of what has it: what is made there and saved, tfjs' check of kernels takes for a leak.
    const [y, saved] = withoutTape(() =>
      runKernel<GroupedMlpInputs, ExpertsAttrs, Tensor[]>(
        GroupedMlp,
        {x, expertWeights, w1, w2, indices, bins},
        attrs,
      ),
    );
    const gradFunc = (dy: Tensor, tensors: Tensor[]) => {
      const [x, expertWeights, w1, w2, indices, bins, saved] = tensors;
      return runKernel<GroupedMlpGradInputs, ExpertsAttrs, Tensor[]>(
        GroupedMlpGrad,
        {dy, x, expertWeights, w1, w2, indices, bins, saved},
        attrs,
      );
    };
    return withGradient([x, expertWeights, w1, w2], (inputs, save) => {
      save([...inputs, indices, bins, saved]);
      return {value: y, gradFunc};
    }) as Tensor2D;
  });
}

function fused(
  x: Tensor2D,
  {w1, v1, w2}: GroupedMlpWeights,
  expertWeights: Tensor1D,
  routing: GroupedMlpRouting,
  activation: ActivationName,
  precision?: Precision,
): Tensor2D {
  const {topK} = routing;
  const attrs: ExpertsAttrs = {activation, topK, precision};

  const permuted = (
    inputs: PermutedMatMulInputs,
    permute: PermutedMatMulAttrs['permute'],
    {transposeA = false, transposeB = false} = {},
  ) =>
    runKernel<PermutedMatMulInputs, PermutedMatMulAttrs>(PermutedMatMul, inputs, {
      permute,
      transposeA,
      transposeB,
      topK,
      precision,
    });

  /** Sums the copies of every token. */
  const sumCopies = (copies: Tensor) =>
    topK === 1 ? copies : sum(reshape(copies, [x.shape[0], topK, x.shape[1]]), 1);

  const inputs = [x, expertWeights, w1, w2, ...(v1 ? [v1] : [])];
  return withGradient(inputs, ([x, expertWeights, w1, w2, v1], save) => {
    const {indices, bins} = routing;
    const gate = v1 && permuted({a: x, b: w1, bins, indices}, 'a', {transposeB: true});
    const [linear, hidden] = runKernel<ExpertsUpInputs, ExpertsAttrs, Tensor[]>(
      ExpertsUp,
      {x, w: v1 ?? w1, bins, indices, ...(gate && {gate})},
      attrs,
    );
    const inputs = {a: hidden, b: w2, bins, indices, weights: expertWeights};
    const value = sumCopies(permuted(inputs, 'result'));
    save([x, expertWeights, w1, w2, indices, bins, linear, ...(v1 ? [v1, gate!] : [])]);

    const gradFunc = (dy: Tensor, saved: Tensor[]) =>
      tidy(() => {
        const [x, weights, w1, w2, indices, bins, linear, v1, gate] = saved;
        const grads = runKernel<ExpertsDownGradInputs, ExpertsAttrs, Tensor[]>(
          ExpertsDownGrad,
          {dy, w2, bins, indices, weights, linear, ...(gate && {gate})},
          attrs,
        );
        const [linearGrad, gateGrad] = grads;
        const [scaled, weightParts] = grads.slice(-2);
        const ofMatrix = (rows: Tensor, tokens: Tensor) =>
          permuted({a: rows, b: tokens, bins, indices}, 'b', {transposeA: true});
        const ofTokens = (rows: Tensor, w: Tensor) =>
          sumCopies(permuted({a: rows, b: w, bins, indices}, 'result'));
        const ofWeights = sum(weightParts, 1);
        const ofW2 = ofMatrix(scaled, dy);
        if (v1 == null) {
          return [ofTokens(linearGrad, w1), ofWeights, ofMatrix(linearGrad, x), ofW2];
        }
        return [
          add(ofTokens(linearGrad, v1), ofTokens(gateGrad, w1)),
          ofWeights,
          ofMatrix(gateGrad, x),
          ofW2,
          ofMatrix(linearGrad, x),
        ];
      });
    return {value, gradFunc};
  }) as Tensor2D;
}
