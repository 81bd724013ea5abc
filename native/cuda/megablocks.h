// The CUDA kernels as plain launchers: device pointers, sizes, an explicit stream; nothing of
// TensorFlow, no allocation, no synchronisation, no value read back. All arrays are contiguous and row
// by row; sizes are those of src/kernel_names.ts: T tokens, K top-k, E experts, H hidden size, N = T * K
// routed rows, B block size. Whatever index arrays hold, nothing is read or written out of bounds.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

extern "C" {

/// How products multiply float32 matrices; all sum in float32.
enum MegaBlocksPrecision {
  kMegaBlocksFloat32 = 0,
  /// Operands rounded to TF32, on tensor cores.
  kMegaBlocksTf32 = 1,
  /// Operands rounded to bfloat16, or less where that is faster, on tensor cores.
  kMegaBlocksBfloat16 = 2,
};

enum MegaBlocksLayout { kMegaBlocksPacked = 0, kMegaBlocksPadded = 1, kMegaBlocksBinned = 2 };

// ---- Routing. A workspace is as large as the function of the same name says, in bytes.

size_t megablocks_sort_workspace(int64_t size);
cudaError_t megablocks_sort(
    const int32_t* keys, int64_t size, int end_bit, int32_t* sorted, int32_t* permutation,
    void* workspace, size_t workspace_size, cudaStream_t stream);

/// x [batch, size] -> counts [batch, max].
cudaError_t megablocks_histogram(
    const int32_t* x, int64_t batch, int64_t size, int32_t max, int32_t* counts, cudaStream_t stream);

/// x [batch, size] -> sums along the last axis.
cudaError_t megablocks_cumsum(
    const int32_t* x, int64_t batch, int64_t size, bool exclusive, int32_t* out, cudaStream_t stream);

/// Every element rounded up to a multiple.
cudaError_t megablocks_round_up(
    const int32_t* x, int64_t size, int32_t multiple, int32_t* out, cudaStream_t stream);

cudaError_t megablocks_padded_bins(
    const int32_t* tokens_per_expert, int64_t num_experts, int32_t block_size, int32_t* out,
    cudaStream_t stream);

cudaError_t megablocks_topology(
    const int32_t* padded_bins, int64_t num_experts, int32_t block_size, int64_t block_rows,
    int64_t blocks_per_row, int32_t* column_indices, cudaStream_t stream);

/// x [batch, E], of four bytes an element, bins [E] -> [batch, num_outputs].
cudaError_t megablocks_replicate(
    const void* x, const int32_t* bins, int64_t batch, int64_t num_bins, int64_t num_outputs, void* out,
    cudaStream_t stream);

/// dy [batch, num_outputs], bins [E] -> the sum over each bin, [batch, E].
cudaError_t megablocks_replicate_grad(
    const float* dy, const int32_t* bins, int64_t batch, int64_t num_bins, int64_t num_outputs,
    float* dx, cudaStream_t stream);

/// logits [T, E] -> indices of the k largest of each row [T, k], descending; ties to the lowest.
cudaError_t megablocks_top_k(
    const float* x, int64_t rows, int32_t columns, int32_t k, int32_t* indices, cudaStream_t stream);

/// x [rows, columns], indices [rows, k] -> x at those columns; zero for an index out of range.
cudaError_t megablocks_take_along_rows(
    const float* x, const int32_t* indices, int64_t rows, int64_t columns, int64_t k, float* out,
    cudaStream_t stream);
/// dy, indices [rows, k] -> [rows, columns]: dy added at those columns, zero elsewhere.
cudaError_t megablocks_take_along_rows_grad(
    const float* dy, const int32_t* indices, int64_t rows, int64_t columns, int64_t k, float* dx,
    cudaStream_t stream);

/// offsets [block_rows + 1] -> the block-row of every block; -1 outside the offsets.
cudaError_t megablocks_row_indices(
    const int32_t* offsets, int64_t block_rows, int64_t num_blocks, int32_t* row_indices,
    cudaStream_t stream);

size_t megablocks_sparse_transpose_workspace(int64_t num_blocks);
cudaError_t megablocks_sparse_transpose(
    const int32_t* row_indices, const int32_t* column_indices, int64_t num_blocks,
    int32_t block_columns, int32_t* column_indices_t, int32_t* offsets_t, int32_t* block_offsets_t,
    void* workspace, size_t workspace_size, cudaStream_t stream);

// ---- Permutation.

/// The index of a permutation: `num_rows` rows in the layout, of each expert where binned. `indices` must name every copy
/// once: what belongs to one that it does not name may be left as it was.
struct MegaBlocksPermutation {
  const int32_t *indices, *bins, *padded_bins;
  int64_t num_copies, num_rows;
  int32_t num_experts, top_k, layout;
};

/// x [T, H], weights [N] or null -> rows in the layout.
cudaError_t megablocks_gather(
    const float* x, const float* weights, MegaBlocksPermutation permutation, int64_t hidden_size,
    float* out, cudaStream_t stream);

size_t megablocks_scatter_workspace(int64_t num_copies);
/// x in the layout, weights [N] or null -> [T, H].
cudaError_t megablocks_scatter(
    const float* x, const float* weights, MegaBlocksPermutation permutation, int64_t hidden_size,
    float* out, void* workspace, cudaStream_t stream);

/// x in the layout, dy [T, H] -> [N].
cudaError_t megablocks_scatter_weights_grad(
    const float* x, const float* dy, MegaBlocksPermutation permutation, int64_t hidden_size, float* out,
    cudaStream_t stream);

// ---- Products.

/// What megablocks_grouped_mat_mul needs, in bytes, where wgmma multiplies: copies in bfloat16 of the smaller operand,
/// or of both; in TF32, with transpose_a, of the smaller one, transposed.
size_t megablocks_grouped_mat_mul_workspace(
    int precision, int64_t rows, int64_t k, int64_t n, int32_t num_experts, bool transpose_a,
    bool transpose_b);
/// a [rows, k], b [E, k, n] ([E, n, k] with transpose_b), bins [E] -> [rows, n]. With transpose_a: a
/// [rows, k], b [rows, n] -> [E, k, n]. With less of a workspace, or on a GPU that is no Hopper, mma.sync.
cudaError_t megablocks_grouped_mat_mul(
    int precision, const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k,
    int64_t n, int32_t num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    size_t workspace_size, cudaStream_t stream);

/// A block-sparse matrix [rows, columns] by its index. Products read all of it.
struct MegaBlocksSparseIndex {
  const int32_t *row_indices, *column_indices, *offsets;
  const int32_t *column_indices_t, *offsets_t, *block_offsets_t;
  int64_t rows, columns, num_blocks;
  int32_t block_size;
};

// Without the workspace, which may be null, mma.sync multiplies instead of wgmma.

size_t megablocks_sdd_workspace(
    int precision, MegaBlocksSparseIndex index, int64_t k, bool transpose_a, bool transpose_b);
/// op(a) [rows, k] op(b) [k, columns] at the index -> values [nnz, B, B].
cudaError_t megablocks_sdd(
    int precision, const float* a, const float* b, MegaBlocksSparseIndex index, int64_t k,
    bool transpose_a, bool transpose_b, float* values, void* workspace, size_t workspace_size,
    cudaStream_t stream);
size_t megablocks_dsd_workspace(
    int precision, MegaBlocksSparseIndex index, int64_t n, bool transpose_a, bool transpose_b);
/// op(values), op(b) [., n] -> dense [., n].
cudaError_t megablocks_dsd(
    int precision, const float* values, const float* b, MegaBlocksSparseIndex index, int64_t n,
    bool transpose_a, bool transpose_b, float* out, void* workspace, size_t workspace_size,
    cudaStream_t stream);
size_t megablocks_dds_workspace(
    int precision, MegaBlocksSparseIndex index, int64_t m, bool transpose_a, bool transpose_b);
/// op(a) [m, .], op(values) -> dense [m, .].
cudaError_t megablocks_dds(
    int precision, const float* a, const float* values, MegaBlocksSparseIndex index, int64_t m,
    bool transpose_a, bool transpose_b, float* out, void* workspace, size_t workspace_size,
    cudaStream_t stream);

/// values [nnz, B, B] -> dense [rows, columns]; zero where there is no block. No two blocks may lie at the
/// same place. Of the index, the transposed half and the offsets go unread.
cudaError_t megablocks_sparse_to_dense(
    const float* values, MegaBlocksSparseIndex index, float* out, cudaStream_t stream);
/// dense [rows, columns] -> its blocks at the index, [nnz, B, B]; zero for a block that is not used.
cudaError_t megablocks_dense_to_sparse(
    const float* x, MegaBlocksSparseIndex index, float* values, cudaStream_t stream);

// ---- What training needs.

enum MegaBlocksActivation {
  kMegaBlocksGeluNew = 0,
  kMegaBlocksGelu = 1,
  kMegaBlocksSilu = 2,
  kMegaBlocksRelu = 3,
};

cudaError_t megablocks_activation(
    int activation, const float* x, int64_t size, float* out, cudaStream_t stream);
/// f'(x) dy.
cudaError_t megablocks_activation_grad(
    int activation, const float* x, const float* dy, int64_t size, float* out, cudaStream_t stream);

/// The experts of a dMoE, packed, multiplied in bfloat16 with what is between the products in bfloat16 too:
/// out[t] = sum over t's copies of weight * (f(x w1') w2), w1 and w2 [E, F, H] of the copy's expert.
struct MegaBlocksExperts {
  MegaBlocksPermutation permutation;
  /// [N], or null for 1.
  const float* weights;
  int64_t hidden_size, ffn_hidden_size;
  int32_t activation;
};
/// Whether these sizes and this GPU (Hopper) are for it. Pointers must begin on 16 bytes.
bool megablocks_experts_supported(const MegaBlocksExperts* experts);
/// The bytes that the forward pass leaves to the backward pass, and those that each needs besides.
size_t megablocks_experts_saved(const MegaBlocksExperts* experts);
size_t megablocks_experts_workspace(const MegaBlocksExperts* experts, bool backward);
/// x [T, H] -> out [T, H].
cudaError_t megablocks_experts_forward(
    const MegaBlocksExperts* experts, const float* x, const float* w1, const float* w2, float* out,
    void* saved, void* workspace, cudaStream_t stream);
/// dy [T, H] -> dx [T, H], dw1 and dw2 [E, F, H], dweights [N] (or null: not needed).
cudaError_t megablocks_experts_backward(
    const MegaBlocksExperts* experts, const float* dy, const void* saved, float* dx, float* dw1,
    float* dw2, float* dweights, void* workspace, cudaStream_t stream);

/// What the factors are: src/kernels/shared/AdamW_impl.ts.
struct MegaBlocksAdamWFactors {
  float step_size, decay, second_moment_scale, beta1, beta2, epsilon;
};
/// One step of AdamW. `factors` and `gradient_scale` lie on the device; where the scale is not finite, the
/// outputs are the inputs.
cudaError_t megablocks_adamw(
    const MegaBlocksAdamWFactors* factors, const float* value, const float* gradient,
    const float* first_moment, const float* second_moment, const float* gradient_scale, int64_t size,
    float* new_value, float* new_first_moment, float* new_second_moment, cudaStream_t stream);

/// x [rows, size], gamma, beta [size] -> normalized over the last axis, scaled and shifted.
cudaError_t megablocks_layer_norm(
    const float* x, const float* gamma, const float* beta, int64_t rows, int64_t size, float epsilon,
    float* out, cudaStream_t stream);
cudaError_t megablocks_layer_norm_grad(
    const float* x, const float* gamma, const float* dy, int64_t rows, int64_t size, float epsilon,
    float* dx, cudaStream_t stream);
size_t megablocks_layer_norm_gamma_grad_workspace(int64_t rows);
cudaError_t megablocks_layer_norm_gamma_grad(
    const float* x, const float* dy, int64_t rows, int64_t size, float epsilon, float* dgamma,
    void* workspace, cudaStream_t stream);

/// logits [rows, size], labels [rows] -> losses [rows], and the logarithms of the sums of the rows' exponentials; both
/// zero for a label out of range.
cudaError_t megablocks_cross_entropy(
    const float* logits, const int32_t* labels, int64_t rows, int64_t size, float* losses,
    float* log_sums, cudaStream_t stream);
/// (softmax - one-hot) dy.
cudaError_t megablocks_cross_entropy_grad(
    const float* logits, const int32_t* labels, const float* log_sums, const float* dy, int64_t rows,
    int64_t size, float* dlogits, cudaStream_t stream);

/// qkv [batch, length, 3 * heads * head_size], queries, keys and values side by side -> [batch, length,
/// heads * head_size]: softmax(q k' / sqrt(head_size)) v, every position seeing itself and those before.
/// The scores exist tile by tile only.
cudaError_t megablocks_causal_attention(
    const float* qkv, int64_t batch, int64_t length, int64_t heads, int64_t head_size, float* out,
    cudaStream_t stream);
size_t megablocks_causal_attention_grad_workspace(int64_t batch, int64_t length, int64_t heads);
/// dy [batch, length, heads * head_size] -> the gradient for qkv, of its shape.
cudaError_t megablocks_causal_attention_grad(
    const float* qkv, const float* dy, int64_t batch, int64_t length, int64_t heads, int64_t head_size,
    float* dqkv, void* workspace, cudaStream_t stream);

/// table [vocab_size, size], indices [count] -> rows; zero for an index out of range.
cudaError_t megablocks_embedding(
    const float* table, const int32_t* indices, int64_t count, int64_t vocab_size, int64_t size,
    float* out, cudaStream_t stream);
size_t megablocks_embedding_grad_workspace(int64_t count);
/// dy [count, size] -> [vocab_size, size]: the rows summed by index, in their order.
cudaError_t megablocks_embedding_grad(
    const float* dy, const int32_t* indices, int64_t count, int64_t vocab_size, int64_t size,
    float* dtable, void* workspace, size_t workspace_size, cudaStream_t stream);

}  // extern "C"
