// The experts of a dMoE, forward and backward, as a sequence of grouped products in bfloat16 on Hopper. Rows
// are gathered where the first product's operand is converted, activations and their derivatives are taken
// in epilogues, and the last product's epilogue brings rows back to their tokens; what lies between is
// bfloat16.
#include "activation.cuh"
#include "hopper_grouped.cuh"

namespace megablocks {
namespace {

using namespace hopper;

__device__ float4 unpack(uint2 v) {
  return {__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000u), __uint_as_float(v.y << 16),
          __uint_as_float(v.y & 0xffff0000u)};
}

/// What follows holds for the vectors j and j + 1 of a lane, j even. Lanes that are two apart exchange one of
/// them, so that each has eight columns in a row: lanes 0 and 1 of four, of vector j; 2 and 3, of j + 1.
struct WideVector {
  /// Where the eight begin, given the column of the lane's vector j.
  __device__ static int column(int j_column) {
    const int lane = threadIdx.x % 4;
    // Of lanes 0 and 1 the vectors begin the eight; those of 2 and 3 are the second half.
    return lane < 2 ? j_column : j_column - 4 + 16;
  }
  __device__ static uint4 join(uint2 first, uint2 second) {
    const bool low = threadIdx.x % 4 < 2;
    const uint2 given = low ? second : first;
    const uint2 got{__shfl_xor_sync(~0u, given.x, 2), __shfl_xor_sync(~0u, given.y, 2)};
    return low ? uint4{first.x, first.y, got.x, got.y} : uint4{got.x, got.y, second.x, second.y};
  }
  /// The other way round.
  __device__ static void split(uint4 x, uint2& first, uint2& second) {
    const bool low = threadIdx.x % 4 < 2;
    const uint2 given = low ? uint2{x.z, x.w} : uint2{x.x, x.y};
    const uint2 got{__shfl_xor_sync(~0u, given.x, 2), __shfl_xor_sync(~0u, given.y, 2)};
    first = low ? uint2{x.x, x.y} : got;
    second = low ? got : uint2{x.z, x.w};
  }
};

/// A row in bfloat16, stored in eight columns at a time.
struct HalfRow {
  __nv_bfloat16* to;
  uint2 held;
  __device__ void store(int j, int column, uint2 v, int columns) {
    if (j % 2 == 0) {
      held = v;
      return;
    }
    const int first = WideVector::column(column - 16);
    const uint4 joined = WideVector::join(held, v);
    if (first < columns) *reinterpret_cast<uint4*>(to + first) = joined;
  }
};

/// The copies in expert order, and their weights.
struct Copies {
  const int32_t* indices;
  const float* weights;
  int64_t count;

  /// -1 where the index is wrong.
  __device__ int64_t of(int64_t row) const {
    const int64_t copy = indices[row];
    return copy >= 0 && copy < count ? copy : -1;
  }
  __device__ float weight(int64_t row) const {
    if (weights == nullptr) return 1;
    const int64_t copy = of(row);
    return copy < 0 ? 0 : weights[copy];
  }
};

/// The sums, and the weighted activation of them, in bfloat16: a weight on what the second product reads
/// is one on what it gives, and its gradient needs no more than these.
template <int activation>
struct ActivationOutput {
  Copies copies;
  int64_t n;
  __nv_bfloat16 *sums, *activated;

  struct Line {
    float weight;
    HalfRow sums, activated;
    int columns;
    __device__ void load(int existing) { columns = existing; }
    __device__ void store(int j, int column, float4 v, bool) {
      sums.store(j, column, to_bfloat16(v), columns);
      const auto f = [&](float x) { return weight * activate<activation, true>(x).value; };
      activated.store(j, column, to_bfloat16({f(v.x), f(v.y), f(v.z), f(v.w)}), columns);
    }
    __device__ void clear(int) {}
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(int64_t row, int column, bool exists) const {
    const int64_t begin = row * n + column;
    return {exists ? copies.weight(row) : 0, {sums + begin, {}}, {activated + begin, {}}, 0};
  }
};

/// Of the gradient of the activation without its weight: the gradient of the sums in bfloat16, and, for
/// each tile of columns, its part of the gradient of the weight.
template <int activation>
struct ActivationGradOutput {
  Copies copies;
  int64_t n, rows;
  const __nv_bfloat16* sums;
  __nv_bfloat16* gradient;
  float* weight_gradients;

  struct Line {
    float weight, product;
    const __nv_bfloat16* sums;
    HalfRow gradient;
    float* to;
    int columns;
    uint4 held[kLaneVectors / 2];
    uint2 second;
    __device__ void load(int existing) {
      columns = existing;
      const int lane = threadIdx.x % 4;
#pragma unroll
      for (int i = 0; i < kLaneVectors / 2; i++) {
        const int column = WideVector::column(i * 32 + lane % 2 * 8 + lane / 2 * 4);
        // The row's first where there is none, so that no load is conditional. Not by __ldg: compilers would move
        // that to where each is needed, past the stores, and the lane would wait for one after the other.
        held[i] = *reinterpret_cast<const uint4*>(sums + (column < columns ? column : 0));
      }
    }
    __device__ void store(int j, int column, float4 v, bool valid) {
      uint2 packed = second;
      if (j % 2 == 0) WideVector::split(held[j / 2], packed, second);
      const float4 x = unpack(packed);
      const auto f = [&](float x, float dy) {
        const Activated y = activate<activation, true>(x);
        if (valid) product += y.value * dy;
        return weight * y.derivative * dy;
      };
      const uint2 dx = to_bfloat16({f(x.x, v.x), f(x.y, v.y), f(x.z, v.z), f(x.w, v.w)});
      gradient.store(j, column, dx, columns);
    }
    __device__ void clear(int) {}
    __device__ void finish(const Work&, int, bool exists) {
      // A row's columns lie with four lanes.
      product += __shfl_xor_sync(~0u, product, 1);
      product += __shfl_xor_sync(~0u, product, 2);
      if (exists && to != nullptr && threadIdx.x % 4 == 0) *to = product;
    }
  };
  __device__ Line line(int64_t row, int column, bool exists) const {
    const int64_t begin = row * n + column;
    float* const to = weight_gradients == nullptr ? nullptr : weight_gradients + column / kTileColumns * rows + row;
    // A row that does not exist is read where the first does.
    return {exists ? copies.weight(row) : 0, 0, exists ? sums + begin : sums, {gradient + begin, {}}, to};
  }
};

/// Rows in float32, each where its copy lies.
struct ScatterOutput {
  Copies copies;
  float* out;
  int64_t n;

  struct Line : LoadsNothing {
    float* to;
    __device__ void store(int, int column, float4 v, bool valid) {
      if (!valid) return;
      if (to != nullptr) *reinterpret_cast<float4*>(to + column) = v;
    }
    __device__ void clear(int column) { store(0, column, {}, true); }
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(int64_t row, int column, bool exists) const {
    const int64_t copy = exists ? copies.of(row) : -1;
    return {{}, copy < 0 ? nullptr : out + copy * n + column};
  }
};

/// x [T, K, H] -> sums over K.
__global__ void sum_copies_kernel(const float4* x, int64_t tokens, int top_k, int64_t size, float4* out) {
  for (int64_t i = thread_index(); i < tokens * size; i += num_threads()) {
    const float4* from = x + i / size * top_k * size + i % size;
    float4 sum = from[0];
    for (int k = 1; k < top_k; k++) {
      const float4 v = from[k * size];
      sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w};
    }
    out[i] = sum;
  }
}

/// parts [tiles, N] in expert order, up to the last bin -> sums by copy [N].
__global__ void sum_weight_gradients_kernel(
    const float* parts, Copies copies, const int32_t* bins, int num_experts, int tiles, float* out) {
  int64_t end = 0;
  for (int i = 0; i < num_experts; i++) end = min(max(int64_t{bins[i]}, end), copies.count);
  for (int64_t row = thread_index(); row < copies.count; row += num_threads()) {
    const int64_t copy = copies.of(row);
    if (copy < 0) continue;
    float sum = 0;
    for (int i = 0; row < end && i < tiles; i++) sum += parts[i * copies.count + row];
    out[copy] = sum;
  }
}

/// Sizes of a call.
struct Sizes {
  int64_t rows, hidden, ffn;
  int num_experts;
  int64_t weights() const { return num_experts * ffn * hidden; }
  int tiles() const { return static_cast<int>(ceil_divide<int64_t>(ffn, kTileColumns)); }
};

Sizes sizes_of(const MegaBlocksExperts& e) {
  return {e.permutation.num_copies, e.hidden_size, e.ffn_hidden_size, e.permutation.num_experts};
}

/// What the backward pass reads of the forward pass.
struct Saved {
  __nv_bfloat16 *x, *sums, *activated, *w1, *w2;
  size_t size;
  Saved(const Sizes& s, void* memory) {
    Parts parts(memory);
    x = parts.take<__nv_bfloat16>(s.rows * s.hidden);
    sums = parts.take<__nv_bfloat16>(s.rows * s.ffn);
    activated = parts.take<__nv_bfloat16>(s.rows * s.ffn);
    w1 = parts.take<__nv_bfloat16>(s.weights());
    w2 = parts.take<__nv_bfloat16>(s.weights());
    size = parts.size();
  }
};

/// A matrix [rows, columns] of each row's expert, or of all experts [E, F, H].
OperandSource rows_source(const Sizes& s, int64_t width, const float* from, __nv_bfloat16* half) {
  OperandSource x;
  x.from = from;
  x.half = half;
  x.width = width;
  x.height = s.rows;
  return x;
}
OperandSource gathered(const Sizes& s, const MegaBlocksPermutation& p, const float* from, __nv_bfloat16* half) {
  OperandSource x = rows_source(s, s.hidden, from, half);
  x.indices = p.indices;
  x.top_k = p.top_k;
  return x;
}
OperandSource weights_source(const Sizes& s, const float* from, __nv_bfloat16* half) {
  OperandSource x;
  x.from = from;
  x.half = half;
  x.width = s.hidden;
  x.height = s.ffn;
  x.depth = s.num_experts;
  return x;
}

struct Scratch {
  float *copies, *weight_gradients;
  __nv_bfloat16 *dy, *dsums;
  size_t size;
  Scratch(const Sizes& s, const MegaBlocksPermutation& p, bool backward, void* memory) {
    Parts parts(memory);
    copies = p.top_k > 1 ? parts.take<float>(s.rows * s.hidden) : nullptr;
    if (backward) {
      weight_gradients = parts.take<float>(s.tiles() * s.rows);
      dy = parts.take<__nv_bfloat16>(s.rows * s.hidden);
      dsums = parts.take<__nv_bfloat16>(s.rows * s.ffn);
    }
    size = parts.size();
  }
};

template <bool transpose_a, bool transpose_b, typename Output>
cudaError_t product(
    const MegaBlocksExperts& e, const OperandSource& a, const OperandSource& b, int64_t k, int64_t n,
    const Output& output, cudaStream_t stream, const Strip& aside = {}) {
  const Sizes s = sizes_of(e);
  const int ik = static_cast<int>(k), in = static_cast<int>(n);
  if (shares_b(s.rows, k, n, s.num_experts, transpose_a)) {
    const Grouped<transpose_a, transpose_b, kShareB, Output> family{e.permutation.bins, s.rows, ik, in,
                                                                   s.num_experts, output};
    return launch_by_experts(a, b, family, stream, aside);
  }
  const Grouped<transpose_a, transpose_b, kShareA, Output> family{e.permutation.bins, s.rows, ik, in,
                                                                 s.num_experts, output};
  return launch_by_experts(a, b, family, stream, aside);
}

cudaError_t sum_copies(
    const MegaBlocksExperts& e, const float* copies, float* out, cudaStream_t stream) {
  if (e.permutation.top_k == 1) return cudaSuccess;
  const int64_t tokens = e.permutation.num_copies / e.permutation.top_k, size = e.hidden_size / 4;
  sum_copies_kernel<<<grid_for(tokens * size, 256), 256, 0, stream>>>(
      reinterpret_cast<const float4*>(copies), tokens, e.permutation.top_k, size,
      reinterpret_cast<float4*>(out));
  return cudaGetLastError();
}

bool is_valid(const MegaBlocksExperts& e) {
  const MegaBlocksPermutation& p = e.permutation;
  return p.layout == kMegaBlocksPacked && p.top_k >= 1 && p.num_copies >= 0 && p.num_copies % p.top_k == 0 &&
         p.num_copies <= INT32_MAX / 2 && p.num_experts > 0 && e.activation >= kMegaBlocksGeluNew &&
         e.activation <= kMegaBlocksRelu && hopper_supports(e.hidden_size, e.ffn_hidden_size);
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

bool megablocks_experts_supported(const MegaBlocksExperts* experts) { return is_valid(*experts); }

size_t megablocks_experts_saved(const MegaBlocksExperts* experts) {
  return Saved(sizes_of(*experts), nullptr).size;
}

size_t megablocks_experts_workspace(const MegaBlocksExperts* experts, bool backward) {
  return Scratch(sizes_of(*experts), experts->permutation, backward, nullptr).size;
}

cudaError_t megablocks_experts_forward(
    const MegaBlocksExperts* experts, const float* x, const float* w1, const float* w2, float* out,
    void* saved_memory, void* workspace, cudaStream_t stream) {
  const MegaBlocksExperts& e = *experts;
  if (!is_valid(e)) return cudaErrorInvalidValue;
  const Sizes s = sizes_of(e);
  if (s.rows == 0) return cudaSuccess;
  const MegaBlocksPermutation& p = e.permutation;
  const Saved saved(s, saved_memory);
  const Scratch scratch(s, p, false, workspace);
  const Copies copies{p.indices, e.weights, s.rows};

  const auto first = [&](auto activation) {
    return product<false, true>(
        e, gathered(s, p, x, saved.x), weights_source(s, w1, saved.w1), s.hidden, s.ffn,
        ActivationOutput<decltype(activation)::value>{copies, s.ffn, saved.sums, saved.activated}, stream,
        Strip(w2, saved.w2, s.weights()));
  };
  if (cudaError_t error = with_activation(e.activation, first)) return error;
  float* const to = p.top_k > 1 ? scratch.copies : out;
  if (cudaError_t error = product<false, false>(
          e, rows_source(s, s.ffn, nullptr, saved.activated), weights_source(s, nullptr, saved.w2), s.ffn, s.hidden,
          ScatterOutput{copies, to, s.hidden}, stream)) {
    return error;
  }
  return sum_copies(e, to, out, stream);
}

cudaError_t megablocks_experts_backward(
    const MegaBlocksExperts* experts, const float* dy, const void* saved_memory, float* dx, float* dw1,
    float* dw2, float* dweights, void* workspace, cudaStream_t stream) {
  const MegaBlocksExperts& e = *experts;
  if (!is_valid(e)) return cudaErrorInvalidValue;
  const Sizes s = sizes_of(e);
  if (s.rows == 0) {
    if (cudaError_t error = cudaMemsetAsync(dw1, 0, s.weights() * sizeof(float), stream)) return error;
    return cudaMemsetAsync(dw2, 0, s.weights() * sizeof(float), stream);
  }
  const MegaBlocksPermutation& p = e.permutation;
  const Saved saved(s, const_cast<void*>(saved_memory));
  const Scratch scratch(s, p, true, workspace);
  const Copies copies{p.indices, e.weights, s.rows};
  const OperandSource w1 = weights_source(s, nullptr, saved.w1), w2 = weights_source(s, nullptr, saved.w2);
  const OperandSource dsums = rows_source(s, s.ffn, nullptr, scratch.dsums);

  const auto first = [&](auto activation) {
    return product<false, true>(
        e, gathered(s, p, dy, scratch.dy), w2, s.hidden, s.ffn,
        ActivationGradOutput<decltype(activation)::value>{
            copies, s.ffn, s.rows, saved.sums, scratch.dsums,
            dweights == nullptr ? nullptr : scratch.weight_gradients}, stream);
  };
  if (cudaError_t error = with_activation(e.activation, first)) return error;
  if (dweights != nullptr) {
    sum_weight_gradients_kernel<<<grid_for(s.rows, 256), 256, 0, stream>>>(
        scratch.weight_gradients, copies, p.bins, s.num_experts, s.tiles(), dweights);
    if (cudaError_t error = cudaGetLastError()) return error;
  }
  if (cudaError_t error = product<true, false>(
          e, rows_source(s, s.ffn, nullptr, saved.activated), rows_source(s, s.hidden, nullptr, scratch.dy),
          s.ffn, s.hidden, PlainOutput{dw2, s.hidden}, stream)) {
    return error;
  }
  float* const to = p.top_k > 1 ? scratch.copies : dx;
  if (cudaError_t error = product<false, false>(e, dsums, w1, s.ffn, s.hidden,
                                                ScatterOutput{copies, to, s.hidden}, stream)) {
    return error;
  }
  if (cudaError_t error = sum_copies(e, to, dx, stream)) return error;
  return product<true, false>(e, dsums, rows_source(s, s.hidden, nullptr, saved.x), s.ffn, s.hidden,
                              PlainOutput{dw1, s.hidden}, stream);
}
