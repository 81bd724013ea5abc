// Routing and top-k selection on the GPU.
#include "../routing.h"

#include "../kernels.h"
#include "../top_k.h"
#include "gpu.h"

namespace megablocks {
namespace {

void sort(Context& context, const SortAttrs& attrs) {
  const SortCall call(context, attrs);
  Gpu gpu(context);
  const int64_t size = call.keys.size();
  const size_t bytes = megablocks_sort_workspace(size);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_sort(call.keys.data, size, static_cast<int>(attrs.end_bit), call.sorted,
                           call.permutation, workspace, bytes, stream);
  });
}

void histogram(Context& context, const HistogramAttrs& attrs) {
  const HistogramCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_histogram(call.x.data, call.vectors.batch, call.vectors.size,
                                static_cast<int32_t>(attrs.max), call.counts, stream);
  });
}

void cumsum(Context& context, const CumsumAttrs& attrs) {
  const CumsumCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_cumsum(call.x.data, call.vectors.batch, call.vectors.size, attrs.exclusive,
                             call.sums, stream);
  });
}

void round_up(Context& context, const RoundUpAttrs& attrs) {
  const RoundUpCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_round_up(call.x.data, call.x.size(), static_cast<int32_t>(attrs.multiple), call.y,
                               stream);
  });
}

void padded_bins(Context& context, const PaddedBinsAttrs& attrs) {
  const PaddedBinsCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_padded_bins(call.counts.data, call.counts.size(),
                                  static_cast<int32_t>(attrs.block_size), call.bins, stream);
  });
}

void replicate(Context& context, const ReplicateAttrs& attrs) {
  const ReplicateCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_replicate(call.x.data, call.bins.data, call.vectors.batch, call.vectors.size,
                                attrs.num_outputs, call.y, stream);
  });
}

void replicate_grad(Context& context, const NoAttrs& attrs) {
  const ReplicateGradCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_replicate_grad(call.dy.data, call.bins.data, call.vectors.batch, call.bins.size(),
                                     call.vectors.size, call.dx, stream);
  });
}

void top_k_indices(Context& context, const TopKAttrs& attrs) {
  const TopKCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_top_k(call.x.data, call.rows, static_cast<int32_t>(call.columns),
                            static_cast<int32_t>(call.k), call.indices, stream);
  });
}

void take_along_rows(Context& context, const TakeAlongRowsAttrs& attrs) {
  const TakeAlongRowsCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_take_along_rows(call.x.data, call.indices.data, call.rows, attrs.num_columns,
                                      call.k, call.y, stream);
  });
}

void take_along_rows_grad(Context& context, const TakeAlongRowsAttrs& attrs) {
  const TakeAlongRowsGradCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_take_along_rows_grad(call.dy.data, call.indices.data, call.rows,
                                           attrs.num_columns, call.k, call.dx, stream);
  });
}

}  // namespace

std::vector<KernelEntry> cuda_routing_kernels() {
  return {
      MEGABLOCKS_KERNEL(Sort, SortAttrs, sort),
      MEGABLOCKS_KERNEL(Histogram, HistogramAttrs, histogram),
      MEGABLOCKS_KERNEL(Cumsum, CumsumAttrs, cumsum),
      MEGABLOCKS_KERNEL(RoundUp, RoundUpAttrs, round_up),
      MEGABLOCKS_KERNEL(PaddedBins, PaddedBinsAttrs, padded_bins),
      MEGABLOCKS_KERNEL(Replicate, ReplicateAttrs, replicate),
      MEGABLOCKS_KERNEL(ReplicateGrad, NoAttrs, replicate_grad),
      MEGABLOCKS_KERNEL(TopKIndices, TopKAttrs, top_k_indices),
      MEGABLOCKS_KERNEL(TakeAlongRows, TakeAlongRowsAttrs, take_along_rows),
      MEGABLOCKS_KERNEL(TakeAlongRowsGrad, TakeAlongRowsAttrs, take_along_rows_grad),
  };
}

}  // namespace megablocks
