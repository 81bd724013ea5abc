import {registerKernels} from '../../kernel';
import {activationConfig} from './Activation';
import {activationGradConfig} from './ActivationGrad';
import {adamWConfig} from './AdamW';
import {causalAttentionConfig} from './CausalAttention';
import {causalAttentionGradConfig} from './CausalAttentionGrad';
import {cumsumConfig} from './Cumsum';
import {ddsConfig} from './Dds';
import {denseToSparseConfig} from './DenseToSparse';
import {dsdConfig} from './Dsd';
import {embeddingConfig} from './Embedding';
import {embeddingGradConfig} from './EmbeddingGrad';
import {gatherConfig, weightedGatherConfig} from './Gather';
import {groupedMatMulConfig} from './GroupedMatMul';
import {groupedMlpConfig} from './GroupedMlp';
import {groupedMlpGradConfig} from './GroupedMlpGrad';
import {histogramConfig} from './Histogram';
import {layerNormConfig} from './LayerNorm';
import {layerNormGammaGradConfig} from './LayerNormGammaGrad';
import {layerNormGradConfig} from './LayerNormGrad';
import {paddedBinsConfig} from './PaddedBins';
import {replicateConfig} from './Replicate';
import {replicateGradConfig} from './ReplicateGrad';
import {roundUpConfig} from './RoundUp';
import {rowIndicesConfig} from './RowIndices';
import {scatterConfig, weightedScatterConfig} from './Scatter';
import {scatterWeightsGradConfig} from './ScatterWeightsGrad';
import {sddConfig} from './Sdd';
import {sortConfig} from './Sort';
import {sparseSoftmaxCrossEntropyConfig} from './SparseSoftmaxCrossEntropy';
import {sparseSoftmaxCrossEntropyGradConfig} from './SparseSoftmaxCrossEntropyGrad';
import {sparseToDenseConfig} from './SparseToDense';
import {sparseTransposeConfig} from './SparseTranspose';
import {takeAlongRowsConfig} from './TakeAlongRows';
import {takeAlongRowsGradConfig} from './TakeAlongRowsGrad';
import {topKIndicesConfig} from './TopKIndices';
import {topologyConfig} from './Topology';

registerKernels([
  activationConfig,
  activationGradConfig,
  adamWConfig,
  causalAttentionConfig,
  causalAttentionGradConfig,
  cumsumConfig,
  ddsConfig,
  denseToSparseConfig,
  dsdConfig,
  embeddingConfig,
  embeddingGradConfig,
  gatherConfig,
  groupedMatMulConfig,
  groupedMlpConfig,
  groupedMlpGradConfig,
  histogramConfig,
  layerNormConfig,
  layerNormGammaGradConfig,
  layerNormGradConfig,
  paddedBinsConfig,
  replicateConfig,
  replicateGradConfig,
  roundUpConfig,
  rowIndicesConfig,
  scatterConfig,
  scatterWeightsGradConfig,
  sddConfig,
  sortConfig,
  sparseSoftmaxCrossEntropyConfig,
  sparseSoftmaxCrossEntropyGradConfig,
  sparseToDenseConfig,
  sparseTransposeConfig,
  takeAlongRowsConfig,
  takeAlongRowsGradConfig,
  topKIndicesConfig,
  topologyConfig,
  weightedGatherConfig,
  weightedScatterConfig,
]);
