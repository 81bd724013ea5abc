// Block-sparse products in bfloat16 for Hopper, with blocks of 128.
#pragma once

#include <cstddef>

#include "common.cuh"

namespace megablocks {

/// Whether this GPU and these sizes are for it; `other` is the size that the index does not give.
bool hopper_supports_sparse(const MegaBlocksSparseIndex& index, int64_t other);

/// The bytes that a product needs: both operands in bfloat16.
size_t hopper_sdd_workspace(const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b);
size_t hopper_dsd_workspace(const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b);

cudaError_t hopper_sdd(
    const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, float* values, void* workspace, cudaStream_t stream);
/// With `transposed_out`, out [n, .] is the transpose of the product.
cudaError_t hopper_dsd(
    const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a,
    bool transpose_b, bool transposed_out, float* out, void* workspace, cudaStream_t stream);

}  // namespace megablocks
