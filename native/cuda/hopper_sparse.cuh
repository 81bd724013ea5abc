// Block-sparse products in bfloat16 and TF32 for Hopper, with blocks of 128.
#pragma once

#include <cstddef>

#include "common.cuh"

namespace megablocks {

/// The precision to multiply in on this GPU for these sizes, kMegaBlocksFloat32 for neither; the last one is what the
/// index does not give.
int hopper_sdd_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b);
int hopper_dsd_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b);

/// The bytes that a product in such a precision needs: what it makes of the index, and the operands that it rounds to
/// bfloat16 in memory.
size_t hopper_sdd_workspace(
    int precision, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b);
size_t hopper_dsd_workspace(
    int precision, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b);

cudaError_t hopper_sdd(
    int precision, const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, float* values, void* workspace, cudaStream_t stream);
/// With `transposed_out`, out [n, .] is the transpose of the product.
cudaError_t hopper_dsd(
    int precision, const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n,
    bool transpose_a, bool transpose_b, bool transposed_out, float* out, void* workspace, cudaStream_t stream);

}  // namespace megablocks
