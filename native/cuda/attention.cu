// Causal attention in float32. A block has 64 queries (or keys) of one head and goes over the tiles of 64
// that meet them, up to the diagonal; scores exist as one tile in shared memory. The backward pass keeps
// three numbers a query, computes the scores again, and adds without atomics, so that it is deterministic.
#include "common.cuh"

namespace megablocks {
namespace {

constexpr int kTile = 64;
constexpr int kThreads = 256;
/// The part of an inner size that lies in shared memory at a time.
constexpr int kDepth = 32;
/// Rows in shared memory are padded, so that vectors of four from neighbouring rows meet in no bank.
constexpr int kPanelStride = kDepth + 4;
constexpr int kScoreStride = kTile + 4;
constexpr int kPanels = 2 * kTile * kPanelStride;

/// Rows of a matrix from one on, row by row in memory; at most kTile of them are read.
struct Rows {
  const float* data;
  int64_t stride, count;
};

/// The sizes of a call, and where a head's parts lie.
struct Heads {
  int64_t length, heads, head_size;
  float scale;
  /// Every run of four columns begins on 16 bytes.
  bool aligned;

  __host__ __device__ int64_t hidden_size() const { return heads * head_size; }
  __host__ __device__ int64_t tiles() const { return ceil_divide<int64_t>(length, kTile); }
  /// Where the queries of a head begin in qkv; keys and values follow, hidden_size apart.
  __device__ int64_t query(int64_t task) const {
    return task / heads * length * 3 * hidden_size() + task % heads * head_size;
  }
  /// Where the outputs of a head begin.
  __device__ int64_t output(int64_t task) const {
    return task / heads * length * hidden_size() + task % heads * head_size;
  }
  /// The rows from `first` on of the part of qkv that begins at `part`.
  __device__ Rows qkv_rows(const float* part, int64_t first) const {
    return {part + first * 3 * hidden_size(), 3 * hidden_size(), length - first};
  }
  __device__ Rows output_rows(const float* part, int64_t first) const {
    return {part + first * hidden_size(), hidden_size(), length - first};
  }
};

/// What the backward pass keeps of a query: its largest score, one over the sum of the exponentials above
/// it, and the sum of its probabilities times their gradients.
struct QueryState {
  float largest, factor, product;
};

__device__ int thread_row() { return threadIdx.x / 16 * 4; }
__device__ int thread_column() { return threadIdx.x % 16; }

/// `rows` rows of `columns` from (row, column) on into shared memory; zero beyond what exists.
template <int rows, int columns, int stride>
__device__ void stage(
    const Rows& x, int row, int64_t column, int64_t num_columns, bool aligned, float* shared) {
#pragma unroll
  for (int v = threadIdx.x; v < rows * columns / 4; v += kThreads) {
    const int i = v / (columns / 4), j = v % (columns / 4) * 4;
    const float* from = x.data + (row + i) * x.stride + column + j;
    const int64_t rest = row + i < x.count ? num_columns - column - j : 0;
    float4 value{};
    if (aligned && rest >= 4) {
      value = *reinterpret_cast<const float4*>(from);
    } else {
      if (rest > 0) value.x = from[0];
      if (rest > 1) value.y = from[1];
      if (rest > 2) value.z = from[2];
      if (rest > 3) value.w = from[3];
    }
    *reinterpret_cast<float4*>(shared + i * stride + j) = value;
  }
}

/// sums = a b' for kTile rows of each. A thread has the rows from thread_row() on and the columns
/// thread_column() + 16 j.
__device__ void dot_rows(const Heads& h, const Rows& a, const Rows& b, float* panels, float (&sums)[4][4]) {
  float *left = panels, *right = panels + kTile * kPanelStride;
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) sums[i][j] = 0;
  }
  for (int64_t depth = 0; depth < h.head_size; depth += kDepth) {
    __syncthreads();
    stage<kTile, kDepth, kPanelStride>(a, 0, depth, h.head_size, h.aligned, left);
    stage<kTile, kDepth, kPanelStride>(b, 0, depth, h.head_size, h.aligned, right);
    __syncthreads();
#pragma unroll
    for (int l = 0; l < kDepth; l += 4) {
      float4 x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; i++) {
        x[i] = *reinterpret_cast<const float4*>(left + (thread_row() + i) * kPanelStride + l);
        y[i] = *reinterpret_cast<const float4*>(right + (thread_column() + 16 * i) * kPanelStride + l);
      }
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
          sums[i][j] = fmaf(x[i].x, y[j].x, sums[i][j]);
          sums[i][j] = fmaf(x[i].y, y[j].y, sums[i][j]);
          sums[i][j] = fmaf(x[i].z, y[j].z, sums[i][j]);
          sums[i][j] = fmaf(x[i].w, y[j].w, sums[i][j]);
        }
      }
    }
  }
}

/// The sums of a thread over `columns` columns of a head from one on: its rows, by the columns 64 h + 4
/// thread_column() + c.
template <int columns>
struct Sums {
  float values[4][columns / 16] = {};

  /// Adds a b, a [kTile, kTile] in shared memory, b the rows of a head.
  __device__ void add(const Heads& h, const float* a, const Rows& b, int64_t column, float* panels) {
    constexpr int kStride = columns + 4;
    static_assert(kDepth * kStride <= kPanels, "the rows of b lie where the panels do");
    for (int depth = 0; depth < kTile; depth += kDepth) {
      __syncthreads();
      stage<kDepth, columns, kStride>(b, depth, column, h.head_size, h.aligned, panels);
      __syncthreads();
#pragma unroll 2
      for (int l = 0; l < kDepth; l += 4) {
        float x[4][4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          *reinterpret_cast<float4*>(x[i]) =
              *reinterpret_cast<const float4*>(a + (thread_row() + i) * kScoreStride + depth + l);
        }
#pragma unroll
        for (int m = 0; m < 4; m++) {
#pragma unroll
          for (int part = 0; part < columns / 64; part++) {
            const float4 y = *reinterpret_cast<const float4*>(
                panels + (l + m) * kStride + 64 * part + 4 * thread_column());
#pragma unroll
            for (int i = 0; i < 4; i++) {
              float* to = values[i] + 4 * part;
              to[0] = fmaf(x[i][m], y.x, to[0]);
              to[1] = fmaf(x[i][m], y.y, to[1]);
              to[2] = fmaf(x[i][m], y.z, to[2]);
              to[3] = fmaf(x[i][m], y.w, to[3]);
            }
          }
        }
      }
    }
  }

  /// Stores the rows that exist, each times its factor.
  __device__ void store(
      const Heads& h, const float (&factors)[4], int64_t first_row, int64_t column, float* out,
      int64_t stride) const {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int64_t row = first_row + thread_row() + i;
      if (row >= h.length) return;
#pragma unroll
      for (int j = 0; j < columns / 16; j++) {
        const int64_t at = column + j / 4 * 64 + 4 * thread_column() + j % 4;
        if (at < h.head_size) out[row * stride + at] = factors[i] * values[i][j];
      }
    }
  }
};

/// What `combine` makes of the values of the 16 threads that share rows.
template <typename Combine>
__device__ float reduce_row(float value, Combine combine) {
  for (int step = 8; step > 0; step /= 2) value = combine(value, __shfl_xor_sync(~0u, value, step));
  return value;
}
__device__ float sum_row(float value) {
  return reduce_row(value, [](float a, float b) { return a + b; });
}

/// The largest score of a row so far, and the sum of the exponentials above it.
struct OnlineSoftmax {
  float largest = -INFINITY, sum = 0;

  /// Takes four scores of this thread and the others' of its row, which become their exponentials. Returns
  /// what the sums so far must be multiplied by.
  __device__ float add(float (&scores)[4]) {
    float next = largest;
#pragma unroll
    for (int j = 0; j < 4; j++) next = fmaxf(next, scores[j]);
    next = reduce_row(next, [](float a, float b) { return fmaxf(a, b); });
    // Where every score is minus infinity the difference of two of them would be NaN.
    const float shift = next == -INFINITY ? 0 : next;
    const float factor = expf(largest - shift);
    float part = 0;
#pragma unroll
    for (int j = 0; j < 4; j++) part += scores[j] = expf(scores[j] - shift);
    sum = factor * sum + sum_row(part);
    largest = next;
    return factor;
  }
};

/// Scales the products of queries with keys; no query sees a key beyond it.
__device__ void mask(const Heads& h, int64_t first_query, int64_t first_key, float (&scores)[4][4]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
      const bool seen = first_key + thread_column() + 16 * j <= first_query + thread_row() + i;
      scores[i][j] = seen ? h.scale * scores[i][j] : -INFINITY;
    }
  }
}

/// Which head and which tile of it a block has. Those that take longest begin first.
struct Place {
  int64_t task, first;
  __device__ Place(const Heads& h, bool last_first)
      : task(blockIdx.x / h.tiles()),
        first((last_first ? h.tiles() - 1 - blockIdx.x % h.tiles() : blockIdx.x % h.tiles()) * kTile) {}
};

template <int columns>
__global__ void __launch_bounds__(kThreads) attention_kernel(Heads h, const float* qkv, float* out) {
  __shared__ __align__(16) float panels[kPanels];
  __shared__ __align__(16) float probabilities[kTile * kScoreStride];
  const Place place(h, true);
  const int64_t column = blockIdx.y * int64_t{columns};
  const float* query = qkv + h.query(place.task);
  const float *key = query + h.hidden_size(), *value = key + h.hidden_size();
  Sums<columns> sums;
  OnlineSoftmax softmax[4];
  for (int64_t first = 0; first <= place.first; first += kTile) {
    float scores[4][4];
    dot_rows(h, h.qkv_rows(query, place.first), h.qkv_rows(key, first), panels, scores);
    mask(h, place.first, first, scores);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float factor = softmax[i].add(scores[i]);
#pragma unroll
      for (int j = 0; j < columns / 16; j++) sums.values[i][j] *= factor;
#pragma unroll
      for (int j = 0; j < 4; j++) {
        probabilities[(thread_row() + i) * kScoreStride + thread_column() + 16 * j] = scores[i][j];
      }
    }
    sums.add(h, probabilities, h.qkv_rows(value, first), column, panels);
  }
  const float factors[4] = {1 / softmax[0].sum, 1 / softmax[1].sum, 1 / softmax[2].sum,
                            1 / softmax[3].sum};
  sums.store(h, factors, place.first, column, out + h.output(place.task), h.hidden_size());
}

__global__ void __launch_bounds__(kThreads) query_state_kernel(
    Heads h, const float* qkv, const float* dy, QueryState* states) {
  __shared__ __align__(16) float panels[kPanels];
  const Place place(h, true);
  const float* query = qkv + h.query(place.task);
  const float *key = query + h.hidden_size(), *value = key + h.hidden_size();
  const Rows dy_rows = h.output_rows(dy + h.output(place.task), place.first);
  OnlineSoftmax softmax[4];
  float products[4] = {};
  for (int64_t first = 0; first <= place.first; first += kTile) {
    float scores[4][4], grads[4][4];
    dot_rows(h, h.qkv_rows(query, place.first), h.qkv_rows(key, first), panels, scores);
    dot_rows(h, dy_rows, h.qkv_rows(value, first), panels, grads);
    mask(h, place.first, first, scores);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float factor = softmax[i].add(scores[i]);
      float part = 0;
#pragma unroll
      for (int j = 0; j < 4; j++) part += scores[i][j] * grads[i][j];
      products[i] = factor * products[i] + sum_row(part);
    }
  }
  if (thread_column() != 0) return;
  for (int i = 0; i < 4; i++) {
    const int64_t row = place.first + thread_row() + i;
    if (row >= h.length) return;
    const float factor = 1 / softmax[i].sum;
    const float largest = softmax[i].largest == -INFINITY ? 0 : softmax[i].largest;
    states[place.task * h.length + row] = {largest, factor, factor * products[i]};
  }
}

/// The tile of probabilities of some queries and keys, and the gradient for its scores.
struct ScoreTile {
  float probabilities[4][4], grads[4][4];

  __device__ void compute(
      const Heads& h, const float* qkv, const float* dy, const QueryState* states, int64_t task,
      int64_t first_query, int64_t first_key, float* panels) {
    const float* query = qkv + h.query(task);
    const float *key = query + h.hidden_size(), *value = key + h.hidden_size();
    dot_rows(h, h.qkv_rows(query, first_query), h.qkv_rows(key, first_key), panels, probabilities);
    dot_rows(h, h.output_rows(dy + h.output(task), first_query), h.qkv_rows(value, first_key), panels,
             grads);
    mask(h, first_query, first_key, probabilities);
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int64_t row = first_query + thread_row() + i;
      const QueryState state = row < h.length ? states[task * h.length + row] : QueryState{};
#pragma unroll
      for (int j = 0; j < 4; j++) {
        const float p = row < h.length ? state.factor * expf(probabilities[i][j] - state.largest) : 0;
        probabilities[i][j] = p;
        grads[i][j] = h.scale * p * (grads[i][j] - state.product);
      }
    }
  }
};

/// One block a tile of queries.
template <int columns>
__global__ void __launch_bounds__(kThreads) query_grad_kernel(
    Heads h, const float* qkv, const float* dy, const QueryState* states, float* dqkv) {
  __shared__ __align__(16) float panels[kPanels];
  __shared__ __align__(16) float grads[kTile * kScoreStride];
  const Place place(h, true);
  const int64_t column = blockIdx.y * int64_t{columns};
  const float* key = qkv + h.query(place.task) + h.hidden_size();
  Sums<columns> sums;
  for (int64_t first = 0; first <= place.first; first += kTile) {
    ScoreTile tile;
    tile.compute(h, qkv, dy, states, place.task, place.first, first, panels);
#pragma unroll
    for (int i = 0; i < 4; i++) {
#pragma unroll
      for (int j = 0; j < 4; j++) {
        grads[(thread_row() + i) * kScoreStride + thread_column() + 16 * j] = tile.grads[i][j];
      }
    }
    sums.add(h, grads, h.qkv_rows(key, first), column, panels);
  }
  const float ones[4] = {1, 1, 1, 1};
  sums.store(h, ones, place.first, column, dqkv + h.query(place.task), 3 * h.hidden_size());
}

/// Stores a tile of a thread's, transposed.
__device__ void store_transposed(const float (&tile)[4][4], float* shared) {
#pragma unroll
  for (int j = 0; j < 4; j++) {
    *reinterpret_cast<float4*>(shared + (thread_column() + 16 * j) * kScoreStride + thread_row()) =
        float4{tile[0][j], tile[1][j], tile[2][j], tile[3][j]};
  }
}

/// One block a tile of keys, with their values.
template <int columns>
__global__ void __launch_bounds__(kThreads) key_value_grad_kernel(
    Heads h, const float* qkv, const float* dy, const QueryState* states, float* dqkv) {
  __shared__ __align__(16) float panels[kPanels];
  __shared__ __align__(16) float transposed[kTile * kScoreStride];
  const Place place(h, false);
  const int64_t column = blockIdx.y * int64_t{columns};
  const float *query = qkv + h.query(place.task), *dy_head = dy + h.output(place.task);
  Sums<columns> dkey, dvalue;
  for (int64_t first = place.first; first < h.length; first += kTile) {
    ScoreTile tile;
    tile.compute(h, qkv, dy, states, place.task, first, place.first, panels);
    store_transposed(tile.probabilities, transposed);
    dvalue.add(h, transposed, h.output_rows(dy_head, first), column, panels);
    __syncthreads();
    store_transposed(tile.grads, transposed);
    dkey.add(h, transposed, h.qkv_rows(query, first), column, panels);
  }
  const float ones[4] = {1, 1, 1, 1};
  float* to = dqkv + h.query(place.task) + h.hidden_size();
  dkey.store(h, ones, place.first, column, to, 3 * h.hidden_size());
  dvalue.store(h, ones, place.first, column, to + h.hidden_size(), 3 * h.hidden_size());
}

/// Calls launch(columns, heads, grid) where there is anything to do; `columns`, those of a head that a
/// block sums, is a constant.
template <typename Launch>
cudaError_t with_heads(
    int64_t batch, int64_t length, int64_t heads, int64_t head_size, bool aligned, Launch launch) {
  if (batch < 0 || length < 0 || heads < 1 || head_size < 0) return cudaErrorInvalidValue;
  if (batch * length * head_size == 0) return cudaSuccess;
  const Heads h{length, heads, head_size, 1 / sqrtf(static_cast<float>(head_size)),
                aligned && head_size % 4 == 0};
  const int64_t blocks = batch * heads * h.tiles();
  const int64_t parts = ceil_divide<int64_t>(head_size, 128);
  if (blocks > INT32_MAX || parts > 65535) return cudaErrorInvalidValue;
  if (head_size <= 64) {
    launch(std::integral_constant<int, 64>(), h, dim3(blocks));
  } else {
    launch(std::integral_constant<int, 128>(), h, dim3(blocks, parts));
  }
  return cudaGetLastError();
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_causal_attention(
    const float* qkv, int64_t batch, int64_t length, int64_t heads, int64_t head_size, float* out,
    cudaStream_t stream) {
  return with_heads(
      batch, length, heads, head_size, is_aligned(qkv), [&](auto columns, const Heads& h, dim3 grid) {
        attention_kernel<decltype(columns)::value><<<grid, kThreads, 0, stream>>>(h, qkv, out);
      });
}

size_t megablocks_causal_attention_grad_workspace(int64_t batch, int64_t length, int64_t heads) {
  return batch * length * heads * sizeof(QueryState);
}

cudaError_t megablocks_causal_attention_grad(
    const float* qkv, const float* dy, int64_t batch, int64_t length, int64_t heads, int64_t head_size,
    float* dqkv, void* workspace, cudaStream_t stream) {
  QueryState* states = static_cast<QueryState*>(workspace);
  return with_heads(
      batch, length, heads, head_size, is_aligned(qkv) && is_aligned(dy),
      [&](auto columns, const Heads& h, dim3 grid) {
        constexpr int kColumns = decltype(columns)::value;
        query_state_kernel<<<grid.x, kThreads, 0, stream>>>(h, qkv, dy, states);
        query_grad_kernel<kColumns><<<grid, kThreads, 0, stream>>>(h, qkv, dy, states, dqkv);
        key_value_grad_kernel<kColumns><<<grid, kThreads, 0, stream>>>(h, qkv, dy, states, dqkv);
      });
}
