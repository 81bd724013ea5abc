import {registerGradients} from '../kernel';
import {activationGradConfig} from './Activation_grad';
import {causalAttentionGradConfig} from './CausalAttention_grad';
import {ddsGradConfig} from './Dds_grad';
import {denseToSparseGradConfig} from './DenseToSparse_grad';
import {dsdGradConfig} from './Dsd_grad';
import {embeddingGradConfig} from './Embedding_grad';
import {gatherGradConfig, weightedGatherGradConfig} from './Gather_grad';
import {groupedMatMulGradConfig} from './GroupedMatMul_grad';
import {layerNormGradConfig} from './LayerNorm_grad';
import {loadBalancingLossGradConfig} from './LoadBalancingLoss_grad';
import {replicateGradConfig, replicateGradGradConfig} from './Replicate_grad';
import {scatterGradConfig, weightedScatterGradConfig} from './Scatter_grad';
import {scatterWeightsGradGradConfig} from './ScatterWeightsGrad_grad';
import {sddGradConfig} from './Sdd_grad';
import {softmaxGradConfig} from './Softmax_grad';
import {sparseSoftmaxCrossEntropyGradConfig} from './SparseSoftmaxCrossEntropy_grad';
import {sparseToDenseGradConfig} from './SparseToDense_grad';
import {takeAlongRowsGradConfig, takeAlongRowsGradGradConfig} from './TakeAlongRows_grad';

registerGradients([
  activationGradConfig,
  causalAttentionGradConfig,
  ddsGradConfig,
  denseToSparseGradConfig,
  dsdGradConfig,
  embeddingGradConfig,
  gatherGradConfig,
  groupedMatMulGradConfig,
  layerNormGradConfig,
  loadBalancingLossGradConfig,
  replicateGradConfig,
  replicateGradGradConfig,
  scatterGradConfig,
  scatterWeightsGradGradConfig,
  sddGradConfig,
  softmaxGradConfig,
  sparseSoftmaxCrossEntropyGradConfig,
  sparseToDenseGradConfig,
  takeAlongRowsGradConfig,
  takeAlongRowsGradGradConfig,
  weightedGatherGradConfig,
  weightedScatterGradConfig,
]);
