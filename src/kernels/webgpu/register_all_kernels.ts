import {provideFastMatMul} from '../../fast_mat_mul';
import {registerKernels} from '../../kernel';
import {activationConfig} from './Activation';
import {activationGradConfig} from './ActivationGrad';
import {adamWConfig} from './AdamW';
import {assignExpertsConfig} from './AssignExperts';
import {causalAttentionConfig} from './CausalAttention';
import {causalAttentionGradConfig} from './CausalAttentionGrad';
import {cumsumConfig} from './Cumsum';
import {ddsConfig} from './Dds';
import {denseToSparseConfig} from './DenseToSparse';
import {dsdConfig} from './Dsd';
import {embeddingConfig} from './Embedding';
import {embeddingGradConfig} from './EmbeddingGrad';
import {expertsDownGradConfig} from './ExpertsDownGrad';
import {expertsUpConfig} from './ExpertsUp';
import {gatherConfig, weightedGatherConfig} from './Gather';
import {globalNormConfig} from './GlobalNorm';
import {groupedMatMulConfig} from './GroupedMatMul';
import {histogramConfig} from './Histogram';
import {layerNormConfig} from './LayerNorm';
import {layerNormGradConfig} from './LayerNormGrad';
import {layerNormParametersGradConfig} from './LayerNormParametersGrad';
import {loadBalancingLossConfig} from './LoadBalancingLoss';
import {loadBalancingLossGradConfig} from './LoadBalancingLossGrad';
import {paddedBinsConfig} from './PaddedBins';
import {permutedMatMulConfig} from './PermutedMatMul';
import {replicateConfig} from './Replicate';
import {replicateGradConfig} from './ReplicateGrad';
import {roundUpConfig} from './RoundUp';
import {rowIndicesConfig} from './RowIndices';
import {scatterConfig, weightedScatterConfig} from './Scatter';
import {scatterWeightsGradConfig} from './ScatterWeightsGrad';
import {sddConfig} from './Sdd';
import {softmaxConfig} from './Softmax';
import {softmaxGradConfig} from './SoftmaxGrad';
import {sortConfig} from './Sort';
import {sparseSoftmaxCrossEntropyConfig} from './SparseSoftmaxCrossEntropy';
import {sparseSoftmaxCrossEntropyGradConfig} from './SparseSoftmaxCrossEntropyGrad';
import {sparseToDenseConfig} from './SparseToDense';
import {sparseTransposeConfig} from './SparseTranspose';
import {takeAlongRowsConfig} from './TakeAlongRows';
import {takeAlongRowsGradConfig} from './TakeAlongRowsGrad';
import {topKIndicesConfig} from './TopKIndices';
import {topologyConfig} from './Topology';
import {fastMatMulConfigs} from './fast_mat_mul';

registerKernels([
  activationConfig,
  activationGradConfig,
  adamWConfig,
  assignExpertsConfig,
  causalAttentionConfig,
  causalAttentionGradConfig,
  cumsumConfig,
  ddsConfig,
  denseToSparseConfig,
  dsdConfig,
  embeddingConfig,
  embeddingGradConfig,
  expertsDownGradConfig,
  expertsUpConfig,
  gatherConfig,
  weightedGatherConfig,
  globalNormConfig,
  groupedMatMulConfig,
  histogramConfig,
  layerNormConfig,
  layerNormGradConfig,
  layerNormParametersGradConfig,
  loadBalancingLossConfig,
  loadBalancingLossGradConfig,
  paddedBinsConfig,
  permutedMatMulConfig,
  replicateConfig,
  replicateGradConfig,
  roundUpConfig,
  rowIndicesConfig,
  scatterConfig,
  weightedScatterConfig,
  scatterWeightsGradConfig,
  sddConfig,
  softmaxConfig,
  softmaxGradConfig,
  sortConfig,
  sparseSoftmaxCrossEntropyConfig,
  sparseSoftmaxCrossEntropyGradConfig,
  sparseToDenseConfig,
  sparseTransposeConfig,
  takeAlongRowsConfig,
  takeAlongRowsGradConfig,
  topKIndicesConfig,
  topologyConfig,
]);
provideFastMatMul('webgpu', fastMatMulConfigs);
