// The whole API and its gradients, without a kernel: those come with the backends' own entries.
import './gradients/register_all_gradients';

export {binnedGather} from '../ops/binned_gather';
export {binnedScatter} from '../ops/binned_scatter';
export {exclusiveCumsum, inclusiveCumsum} from '../ops/cumsum';
export {dds} from '../ops/dds';
export {dsd} from '../ops/dsd';
export {gather} from '../ops/gather';
export {groupedMatMul} from '../ops/grouped_mat_mul';
export {groupedMlp, type GroupedMlpRouting, type GroupedMlpWeights} from '../ops/grouped_mlp';
export {histogram} from '../ops/histogram';
export {paddedBins, paddedRowCount} from '../ops/padded_bins';
export {paddedGather} from '../ops/padded_gather';
export {paddedScatter} from '../ops/padded_scatter';
export {randomDenseMask, randomMask, randomSparse} from '../ops/random_sparse';
export {replicate} from '../ops/replicate';
export {roundUp} from '../ops/round_up';
export {rowIndices} from '../ops/row_indices';
export {scatter} from '../ops/scatter';
export {sdd} from '../ops/sdd';
export {softmax} from '../ops/softmax';
export {sort} from '../ops/sort';
export {sparseActivation, sparseMul, sparseOnesLike} from '../ops/sparse_elementwise';
export {SparseMatrix} from '../ops/sparse_matrix';
export {sparseSum} from '../ops/sparse_sum';
export {SparseTopology, type SparseTopologyArgs} from '../ops/sparse_topology';
export {stopGradient} from '../ops/stop_gradient';
export {toDense} from '../ops/to_dense';
export {toSparse, toSparseAsync} from '../ops/to_sparse';
export {topK} from '../ops/top_k';
export {topology} from '../ops/topology';
export {activation} from '../ops/activation';
export {causalAttention} from '../ops/causal_attention';
export {embedding} from '../ops/embedding';
export {layerNorm} from '../ops/layer_norm';
export {linearCrossEntropyLoss} from '../ops/linear_cross_entropy';
export {
  sparseSoftmaxCrossEntropy,
  sparseSoftmaxCrossEntropyLoss,
} from '../ops/sparse_softmax_cross_entropy';
export * as layers from '../layers/index';
export {type ExpertChoices, expertChoices} from '../layers/expert_choices';
export {RouterStats, type RouterStatsEntry} from '../layers/router_stats';
export {useFastMatMul} from './fast_mat_mul';
export {generate, type GenerateOptions} from '../models/generate';
export {
  countParameters,
  type FeedForward,
  languageModel,
  type LanguageModelConfig,
} from '../models/language_model';
export {withLinearCrossEntropy} from '../models/linear_cross_entropy';
export {LANGUAGE_MODEL_PRESETS, type PresetName} from '../models/presets';
export {adamW, type AdamWOptions} from '../ops/adamw';
export type {ActivationName, Precision} from './kernel_names';
export {AdafactorOptimizer, type AdafactorConfig} from '../training/optimizers/adafactor';
export {AdamWOptimizer, type AdamWConfig} from '../training/optimizers/adamw';
export {globalNorm} from '../ops/global_norm';
export {
  type ParameterUpdate,
  TrainingOptimizer,
  type TrainingOptimizerConfig,
} from '../training/optimizers/training_optimizer';
export {
  type DecayStyle,
  learningRateAt,
  type LearningRateSchedule,
} from '../training/learning_rate_schedule';
