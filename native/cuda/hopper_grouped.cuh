// The grouped product in bfloat16 for Hopper, by TMA and wgmma.
#pragma once

#include <cstddef>

#include "common.cuh"

namespace megablocks {

/// Whether this GPU and these sizes are for it: rows in memory must be whole vectors of 16 bytes.
bool hopper_supports(int64_t k, int64_t n);

/// The bytes that it needs: both operands in bfloat16.
size_t hopper_grouped_workspace(int64_t a_size, int64_t b_size);

/// megablocks_grouped_mat_mul, without the rows beyond the last bin.
cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream);

}  // namespace megablocks
