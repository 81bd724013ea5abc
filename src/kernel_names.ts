import type {TensorInfo} from '@tensorflow/tfjs-core';

// Every kernel: its name, inputs and attributes. Sizes: T tokens, K top-k, E experts, H hidden size,
// F ffn hidden size, N = T * K routed rows, B block size. The prefix keeps the names apart from
// TensorFlow's.

// Routing metadata: int32, never differentiated.

/** keys [N] -> sorted [N], permutation [N]. Stable, by the low `endBit` bits. */
export const Sort = 'MegaBlocksSort';
export type SortInputs = Record<'keys', TensorInfo>;
export interface SortAttrs {
  endBit: number;
}

/** x [N] or [batch, N] -> counts [max] or [batch, max]; values out of range are ignored. */
export const Histogram = 'MegaBlocksHistogram';
export type HistogramInputs = Record<'x', TensorInfo>;
export interface HistogramAttrs {
  max: number;
}

/** x [N] or [batch, N] -> sums along the last axis. */
export const Cumsum = 'MegaBlocksCumsum';
export type CumsumInputs = Record<'x', TensorInfo>;
export interface CumsumAttrs {
  exclusive: boolean;
}

/** x, any shape -> every element rounded up to a multiple of `multiple`. */
export const RoundUp = 'MegaBlocksRoundUp';
export type RoundUpInputs = Record<'x', TensorInfo>;
export interface RoundUpAttrs {
  multiple: number;
}

/** tokensPerExpert [E] -> inclusive sums of the counts rounded up to `blockSize`, [E]. */
export const PaddedBins = 'MegaBlocksPaddedBins';
export type PaddedBinsInputs = Record<'tokensPerExpert', TensorInfo>;
export interface PaddedBinsAttrs {
  blockSize: number;
}

/**
 * paddedBins [E] -> the block column of every block, [blockRows * blocksPerRow], block-row by
 * block-row; -1 in the block-rows beyond the last bin.
 */
export const Topology = 'MegaBlocksTopology';
export type TopologyInputs = Record<'paddedBins', TensorInfo>;
export interface TopologyAttrs {
  blockSize: number;
  blockRows: number;
  blocksPerRow: number;
}

/**
 * columnIndices [nnz], rowIndices [nnz] -> the transposed index: columnIndicesT [nnz] (the block-row
 * of every block, column by column), offsetsT [blockColumns + 1], blockOffsetsT [nnz] (where every
 * block lies in memory). Unused blocks, those of column -1, come last, as -1.
 */
export const SparseTranspose = 'MegaBlocksSparseTranspose';
export type SparseTransposeInputs = Record<'columnIndices' | 'rowIndices', TensorInfo>;
export interface SparseTransposeAttrs {
  blockColumns: number;
}

/** offsets [blockRows + 1] -> the block-row of every block, [numBlocks]; -1 from the last offset on. */
export const RowIndices = 'MegaBlocksRowIndices';
export type RowIndicesInputs = Record<'offsets', TensorInfo>;
export interface RowIndicesAttrs {
  numBlocks: number;
}

/**
 * The assignment of copies to experts, whole: experts [N] -> indices [N], the copies expert after expert
 * and those of one expert in their order; binIds [N], the expert of each; tokensPerExpert [E]; and bins [E],
 * where each expert's copies end. A backend may be without it: Sort, Histogram and Cumsum compute the same.
 */
export const AssignExperts = 'MegaBlocksAssignExperts';
export type AssignExpertsInputs = Record<'experts', TensorInfo>;
export interface AssignExpertsAttrs extends SortAttrs {
  numExperts: number;
}

/** x [E] or [batch, E], bins [E] -> element i repeated up to bins[i]; zero from the last bin on. */
export const Replicate = 'MegaBlocksReplicate';
export type ReplicateInputs = Record<'x' | 'bins', TensorInfo>;
export interface ReplicateAttrs {
  numOutputs: number;
}

/** dy [numOutputs] or [batch, numOutputs], bins [E] -> the sum of dy over each bin. */
export const ReplicateGrad = 'MegaBlocksReplicateGrad';
export type ReplicateGradInputs = Record<'dy' | 'bins', TensorInfo>;
export type ReplicateGradAttrs = ReplicateAttrs;

// Top-k selection.

/** x [T, E] -> indices of the k largest of each row [T, K], descending; ties to the lowest index. */
export const TopKIndices = 'MegaBlocksTopKIndices';
export type TopKIndicesInputs = Record<'x', TensorInfo>;
export interface TopKIndicesAttrs {
  k: number;
}

/** x [T, E], indices [T, K] -> x at those columns, [T, K]. */
export const TakeAlongRows = 'MegaBlocksTakeAlongRows';
export type TakeAlongRowsInputs = Record<'x' | 'indices', TensorInfo>;
export interface TakeAlongRowsAttrs {
  numColumns: number;
}

/** dy [T, K], indices [T, K] -> [T, E] with dy added at those columns and zero elsewhere. */
export const TakeAlongRowsGrad = 'MegaBlocksTakeAlongRowsGrad';
export type TakeAlongRowsGradInputs = Record<'dy' | 'indices', TensorInfo>;
export type TakeAlongRowsGradAttrs = TakeAlongRowsAttrs;

// The load-balancing loss. A backend may be without its kernels: tfjs' ops compute the same.

/** scores [T, E], tokensPerExpert [E] -> a scalar: scale * sum of scores[t, e] * tokensPerExpert[e]. */
export const LoadBalancingLoss = 'MegaBlocksLoadBalancingLoss';
export type LoadBalancingLossInputs = Record<'scores' | 'tokensPerExpert', TensorInfo>;
export interface LoadBalancingLossAttrs {
  scale: number;
  /** T. */
  numTokens: number;
}

/** dy, a scalar, tokensPerExpert [E] -> [T, E]: every row dy * scale * tokensPerExpert. */
export const LoadBalancingLossGrad = 'MegaBlocksLoadBalancingLossGrad';
export type LoadBalancingLossGradInputs = Record<'dy' | 'tokensPerExpert', TensorInfo>;
export type LoadBalancingLossGradAttrs = LoadBalancingLossAttrs;

// Permutation.

/**
 * How the routed rows lie: 'packed' [N, H], expert after expert; 'padded' [numRows, H], every expert
 * padded to a multiple of the block size; 'binned' [E, capacity, H], rows beyond it dropped.
 */
export type PermutationLayout = 'packed' | 'padded' | 'binned';

export interface PermutationAttrs {
  layout: PermutationLayout;
  topK: number;
  /** Rows in `layout`; of each expert where binned. */
  numRows: number;
}

/**
 * The permutation: indices [N], bins [E], and where each expert's rows end in `layout`, paddedBins
 * [E]: the bins themselves where packed; where binned every expert has `numRows` and they go unread.
 */
export type PermutationIndex = Record<'indices' | 'bins' | 'paddedBins', TensorInfo>;

// Gather, Scatter and ScatterWeightsGrad are the three derivatives of one form, the sum over the
// sorted positions p of weights[indices[p]] * <row of p, token of p>. So each is the gradient of the
// others, to any order.
//
// A kernel and its weighted form are one kernel under two names: the tape chooses by name what it
// saves for the backward pass, and only the weighted form needs x there.

/**
 * x [T, H], weights [N] where weighted -> rows in `layout`, expert by expert. The row of sorted
 * position p is x[floor(indices[p] / topK)], times weights[indices[p]]. Rows that no token fills
 * are zero.
 */
export const Gather = 'MegaBlocksGather';
export const WeightedGather = 'MegaBlocksWeightedGather';
export type GatherInputs = Record<'x', TensorInfo> &
  PermutationIndex &
  Partial<Record<'weights', TensorInfo>>;
export type GatherAttrs = PermutationAttrs;

/**
 * x in `layout`, weights [N] where weighted -> [T, H]: the rows of each token, weighted and summed
 * over its K copies. Dropped copies count as zero.
 */
export const Scatter = 'MegaBlocksScatter';
export const WeightedScatter = 'MegaBlocksWeightedScatter';
export type ScatterInputs = GatherInputs;
export type ScatterAttrs = PermutationAttrs;

/** x in `layout`, dy [T, H] -> the products of every row with its token, [N]; zero where dropped. */
export const ScatterWeightsGrad = 'MegaBlocksScatterWeightsGrad';
export type ScatterWeightsGradInputs = Record<'x' | 'dy', TensorInfo> & PermutationIndex;
export type ScatterWeightsGradAttrs = PermutationAttrs;

// Products.

/**
 * How a product multiplies: in float32, or in half precision with float32 sums, on backends whose
 * matrix units do that faster; the others multiply in float32. Default: as the backend was set up.
 */
export type Precision = 'float32' | 'float16';

/**
 * a [N, K], b [E, K, M] (or [E, M, K] with transposeB), bins [E] -> [N, M]: the rows of every bin
 * times its expert's matrix. With transposeA: a [N, K], b [N, M] -> [E, K, M], the product of the
 * transposed rows of a with those of b, bin by bin; zero for an empty bin. Rows beyond the last bin
 * are zero.
 */
export const GroupedMatMul = 'MegaBlocksGroupedMatMul';
export type GroupedMatMulInputs = Record<'a' | 'b' | 'bins', TensorInfo>;
export interface GroupedMatMulAttrs {
  transposeA: boolean;
  transposeB: boolean;
  precision?: Precision;
}

// The products of a dMoE's experts with the permutation and the activation in them, so that no permuted
// copy is made. A backend may be without them: the ops above compute the same.

/**
 * GroupedMatMul whose `permute` says which of its matrices lies by copy and not by expert: of 'a' and
 * 'b', row p is row floor(indices[p] / topK), and 'b' goes with transposeA; of 'result', row p goes to
 * row indices[p], times weights[indices[p]] where there are weights.
 */
export const PermutedMatMul = 'MegaBlocksPermutedMatMul';
export type PermutedMatMulInputs = GroupedMatMulInputs &
  Record<'indices', TensorInfo> &
  Partial<Record<'weights', TensorInfo>>;
export interface PermutedMatMulAttrs extends GroupedMatMulAttrs {
  permute: 'a' | 'b' | 'result';
  topK: number;
}

/**
 * x [T, H], w [E, F, H], bins [E], indices [N], gate [N, F] of a glu -> linear [N, F], the gathered rows
 * times w', and hidden [N, F]: f(linear), or f(gate) linear.
 */
export const ExpertsUp = 'MegaBlocksExpertsUp';
export type ExpertsUpInputs = Record<'x' | 'w' | 'bins' | 'indices', TensorInfo> &
  Partial<Record<'gate', TensorInfo>>;
export interface ExpertsAttrs {
  activation: ActivationName;
  topK: number;
  precision?: Precision;
}

/**
 * dy [T, H], w2 [E, F, H], bins [E], indices [N], weights [N], linear [N, F], gate [N, F] of a glu ->
 * the gradients for linear and for gate (of a glu alone), [N, F]; the hidden rows times their weights,
 * [N, F]; and parts [N, P] whose sums over P are the gradient for the weights.
 */
export const ExpertsDownGrad = 'MegaBlocksExpertsDownGrad';
export type ExpertsDownGradInputs = Record<
  'dy' | 'w2' | 'bins' | 'indices' | 'weights' | 'linear',
  TensorInfo
> &
  Partial<Record<'gate', TensorInfo>>;

/**
 * x [T, H], expertWeights [N], w1 and w2 [E, F, H], indices [N], bins [E] -> y [T, H], the experts whole, and
 * what the gradient needs besides, of a shape that is the backend's own.
 */
export const GroupedMlp = 'MegaBlocksGroupedMlp';
export const GROUPED_MLP_INPUTS = ['x', 'expertWeights', 'w1', 'w2', 'indices', 'bins'] as const;
export type GroupedMlpInputs = Record<(typeof GROUPED_MLP_INPUTS)[number], TensorInfo>;

/** dy [T, H], the inputs of GroupedMlp and what it saved -> the gradients of x, expertWeights, w1 and w2. */
export const GroupedMlpGrad = 'MegaBlocksGroupedMlpGrad';
export type GroupedMlpGradInputs = GroupedMlpInputs & Record<'dy' | 'saved', TensorInfo>;

/** The index of a block-sparse matrix, as the kernels take it. */
export const SPARSE_INDEX = [
  'rowIndices',
  'columnIndices',
  'offsets',
  'columnIndicesT',
  'offsetsT',
  'blockOffsetsT',
] as const;
export type SparseIndex = Record<(typeof SPARSE_INDEX)[number], TensorInfo>;

/** The size of a block-sparse matrix as it lies in memory, and of its blocks, in elements. */
export interface SparseSize {
  sparseRows: number;
  sparseColumns: number;
  blockSize: number;
}

export interface SparseAttrs extends SparseSize {
  transposeA: boolean;
  transposeB: boolean;
  precision?: Precision;
}

/** a, b dense -> the blocks of a.b at the index, [nnz, B, B]; zero for blocks of column -1. */
export const Sdd = 'MegaBlocksSdd';
export type SddInputs = Record<'a' | 'b', TensorInfo> & SparseIndex;

/** a block-sparse: values [nnz, B, B] with its index; b dense -> dense. */
export const Dsd = 'MegaBlocksDsd';
export type DsdInputs = Record<'values' | 'b', TensorInfo> & SparseIndex;

/** a dense; b block-sparse: values [nnz, B, B] with its index -> dense. */
export const Dds = 'MegaBlocksDds';
export type DdsInputs = Record<'a' | 'values', TensorInfo> & SparseIndex;

/** values [nnz, B, B] -> dense [sparseRows, sparseColumns]; zero where there is no block. */
export const SparseToDense = 'MegaBlocksSparseToDense';
export type SparseToDenseInputs = Record<'values' | 'rowIndices' | 'columnIndices', TensorInfo>;
export type SparseToDenseAttrs = SparseSize;

/** dense [sparseRows, sparseColumns] -> the blocks of x at the index, [nnz, B, B]. */
export const DenseToSparse = 'MegaBlocksDenseToSparse';
export type DenseToSparseInputs = Record<'x' | 'rowIndices' | 'columnIndices', TensorInfo>;
export type DenseToSparseAttrs = SparseSize;

// What training needs and tfjs does slowly or not at all.

/** x, any shape -> f(x), elementwise. */
export const Activation = 'MegaBlocksActivation';
export type ActivationInputs = Record<'x', TensorInfo>;
export interface ActivationAttrs {
  activation: ActivationName;
}
/** The activations that have a fused kernel, by tf.layers' identifiers. */
export const ACTIVATION_NAMES = ['gelu_new', 'gelu', 'silu', 'relu'] as const;
export type ActivationName = (typeof ACTIVATION_NAMES)[number];

/** x, dy of one shape -> f'(x) dy. */
export const ActivationGrad = 'MegaBlocksActivationGrad';
export type ActivationGradInputs = Record<'x' | 'dy', TensorInfo>;
export type ActivationGradAttrs = ActivationAttrs;

/** table [V, H], indices [N] -> rows [N, H]; zero for an index out of range. */
export const Embedding = 'MegaBlocksEmbedding';
export type EmbeddingInputs = Record<'table' | 'indices', TensorInfo>;

/** dy [N, H], indices [N] -> [V, H]: the rows of dy summed by index. */
export const EmbeddingGrad = 'MegaBlocksEmbeddingGrad';
export type EmbeddingGradInputs = Record<'dy' | 'indices', TensorInfo>;
export interface EmbeddingGradAttrs {
  vocabSize: number;
}

/** Any number of tensors, float32, by any names -> the square root of the sum of all squares, a scalar. */
export const GlobalNorm = 'MegaBlocksGlobalNorm';
export type GlobalNormInputs = Record<string, TensorInfo>;

/** logits [N, E] -> softmax over the last axis. */
export const Softmax = 'MegaBlocksSoftmax';
export type SoftmaxInputs = Record<'logits', TensorInfo>;

/** y, the softmax, and dy, [N, E] -> (dy - sum(y dy)) y. */
export const SoftmaxGrad = 'MegaBlocksSoftmaxGrad';
export type SoftmaxGradInputs = Record<'y' | 'dy', TensorInfo>;

/**
 * logits [N, V], labels [N] -> losses [N], -log softmax(logits)[label], and logSums [N], the logarithms of
 * the sums of exp(logits), from which the gradient has the softmax: the loss tells them only where it is
 * not much larger.
 */
export const SparseSoftmaxCrossEntropy = 'MegaBlocksSparseSoftmaxCrossEntropy';
export type SparseSoftmaxCrossEntropyInputs = Record<'logits' | 'labels', TensorInfo>;

/** logits [N, V], labels [N], logSums [N], dy [N] -> [N, V]: (softmax - one-hot) dy. */
export const SparseSoftmaxCrossEntropyGrad = 'MegaBlocksSparseSoftmaxCrossEntropyGrad';
export type SparseSoftmaxCrossEntropyGradInputs = Record<
  'logits' | 'labels' | 'logSums' | 'dy',
  TensorInfo
>;

/** x [N, H], gamma [H], beta [H] -> normalized over the last axis, scaled and shifted. */
export const LayerNorm = 'MegaBlocksLayerNorm';
export type LayerNormInputs = Record<'x' | 'gamma' | 'beta', TensorInfo>;
export interface LayerNormAttrs {
  epsilon: number;
}

/** x, gamma, dy -> dx [N, H]. */
export const LayerNormGrad = 'MegaBlocksLayerNormGrad';
export type LayerNormGradInputs = Record<'x' | 'gamma' | 'dy', TensorInfo>;
export type LayerNormGradAttrs = LayerNormAttrs;

/** x, dy -> dgamma [H]. */
export const LayerNormGammaGrad = 'MegaBlocksLayerNormGammaGrad';
export type LayerNormGammaGradInputs = Record<'x' | 'dy', TensorInfo>;
export type LayerNormGammaGradAttrs = LayerNormAttrs;

/**
 * x, dy -> dgamma [H], dbeta [H]. A backend may be without it: LayerNormGammaGrad and Sum compute the same.
 */
export const LayerNormParametersGrad = 'MegaBlocksLayerNormParametersGrad';
export type LayerNormParametersGradInputs = LayerNormGammaGradInputs;
export type LayerNormParametersGradAttrs = LayerNormAttrs;

/**
 * qkv [batch, T, 3 * H], queries, keys and values side by side, each of `numHeads` heads -> [batch,
 * T, H]: softmax(q k' / sqrt(H / numHeads)) v, every position seeing itself and those before it.
 */
export const CausalAttention = 'MegaBlocksCausalAttention';
export type CausalAttentionInputs = Record<'qkv', TensorInfo>;
export interface CausalAttentionAttrs {
  numHeads: number;
}

/** qkv, dy [batch, T, H] -> the gradient for qkv, [batch, T, 3 * H]. */
export const CausalAttentionGrad = 'MegaBlocksCausalAttentionGrad';
export type CausalAttentionGradInputs = Record<'qkv' | 'dy', TensorInfo>;
export type CausalAttentionGradAttrs = CausalAttentionAttrs;

/**
 * value, gradient and both moments, of one shape -> the same after one step of AdamW: value, first
 * moment, second moment. `step` counts from 1. `gradientScale`, a scalar, multiplies the gradient; where
 * it is NaN or infinite the outputs are the inputs.
 */
export const AdamW = 'MegaBlocksAdamW';
export type AdamWInputs = Record<
  'value' | 'gradient' | 'firstMoment' | 'secondMoment',
  TensorInfo
> & {gradientScale?: TensorInfo};
export interface AdamWAttrs {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  step: number;
}
