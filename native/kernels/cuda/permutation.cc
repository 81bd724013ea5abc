// Rows between token order and expert order, on the GPU.
#include "../permutation.h"

#include "../kernels.h"
#include "gpu.h"

namespace megablocks {
namespace {

MegaBlocksPermutation launched(const PermutationIndex& index) {
  return {index.indices.data,
          index.bins.data,
          index.padded_bins.data,
          index.num_copies(),
          index.attrs.num_rows,
          static_cast<int32_t>(index.num_experts()),
          static_cast<int32_t>(index.attrs.top_k),
          index.attrs.layout};
}

template <bool weighted>
void gather(Context& context, const PermutationAttrs& attrs) {
  const GatherCall call(context, attrs, weighted);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_gather(call.x.data, call.weights, launched(call.index), call.hidden_size, call.y,
                             stream);
  });
}

template <bool weighted>
void scatter(Context& context, const PermutationAttrs& attrs) {
  const ScatterCall call(context, attrs, weighted);
  Gpu gpu(context);
  gpu.run(megablocks_scatter_workspace(call.index.num_copies()), [&](void* workspace, cudaStream_t stream) {
    return megablocks_scatter(call.x.data, call.weights, launched(call.index), call.hidden_size, call.y,
                              workspace, stream);
  });
}

void scatter_weights_grad(Context& context, const PermutationAttrs& attrs) {
  const ScatterWeightsGradCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_scatter_weights_grad(call.x.data, call.dy.data, launched(call.index),
                                           call.hidden_size, call.dweights, stream);
  });
}

}  // namespace

std::vector<KernelEntry> cuda_permutation_kernels() {
  return {
      MEGABLOCKS_KERNEL(Gather, PermutationAttrs, gather<false>),
      MEGABLOCKS_KERNEL(WeightedGather, PermutationAttrs, gather<true>),
      MEGABLOCKS_KERNEL(Scatter, PermutationAttrs, scatter<false>),
      MEGABLOCKS_KERNEL(WeightedScatter, PermutationAttrs, scatter<true>),
      MEGABLOCKS_KERNEL(ScatterWeightsGrad, PermutationAttrs, scatter_weights_grad),
  };
}

}  // namespace megablocks
