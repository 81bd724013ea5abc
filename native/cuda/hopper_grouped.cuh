// Grouped products as families of hopper_product.cuh, and what their launchers share.
#pragma once

#include <cstddef>

#include "hopper_product.cuh"

namespace megablocks {

/// Whether this GPU and these sizes are for it: rows in memory must be whole vectors of 16 bytes.
bool hopper_supports(int64_t k, int64_t n);

/// The bytes that megablocks_grouped_mat_mul needs: both operands in bfloat16.
size_t hopper_grouped_workspace(
    int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool transpose_b);

/// megablocks_grouped_mat_mul.
cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream);

namespace hopper {

/// An operand of a launch: a matrix [depth, height, width] in bfloat16, or float32 to be converted to it.
struct OperandSource {
  const float* from = nullptr;
  __nv_bfloat16* half = nullptr;
  int64_t width, height, depth = 1;
  /// Row i, of a matrix of depth 1, is row indices[i] / top_k of `from`, zero where that does not exist; null:
  /// row i.
  const int32_t* indices = nullptr;
  int top_k = 1;
};

/// Takes parts of a workspace, one after the other.
class Parts {
 public:
  explicit Parts(void* memory = nullptr) : memory_(static_cast<char*>(memory)) {}
  template <typename T>
  T* take(int64_t count) {
    T* const part = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + size_);
    size_ += (count * sizeof(T) + 255) / 256 * 256;
    return part;
  }
  size_t size() const { return size_; }

 private:
  char* memory_;
  size_t size_ = 0;
};

/// Rounds those of the operands that are float32 to bfloat16.
cudaError_t convert(const OperandSource& a, const OperandSource& b, cudaStream_t stream);

/// The map of x, from which boxes of 64 by `box_height` are loaded. What is beyond an edge is zero.
bool make_map(CUtensorMap& map, const OperandSource& x, int box_height);
cudaError_t num_multiprocessors(int& count);

template <typename Family>
cudaError_t launch(
    const OperandSource& a, const OperandSource& b, const Family& family, cudaStream_t stream) {
  if (cudaError_t e = convert(a, b, stream)) return e;
  CUtensorMap a_map, b_map;
  if (!make_map(a_map, a, 64) || !make_map(b_map, b, Family::kBMnMajor ? 64 : kHalfColumns)) {
    return cudaErrorInvalidValue;
  }
  const auto kernel = hopper_product_kernel<Family>;
  if (cudaError_t e =
          cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes)) {
    return e;
  }
  int multiprocessors;
  if (cudaError_t e = num_multiprocessors(multiprocessors)) return e;
  cudaLaunchConfig_t config{};
  config.gridDim = multiprocessors / kCluster * kCluster;
  config.blockDim = kThreads;
  config.dynamicSmemBytes = kSharedBytes;
  config.stream = stream;
  cudaLaunchAttribute cluster;
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {kCluster, 1, 1};
  config.attrs = &cluster;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel, a_map, b_map, family);
}

/// The rows between the bins of a [rows, k] times each expert's b [E, k, n] ([E, n, k] with transpose_b);
/// with transpose_a, a [rows, k] transposed times b [rows, n], between the bins, for each expert.
/// Output: makes the line of the result for a row.
template <bool transpose_a, bool transpose_b, Share share, typename Output>
struct Grouped {
  using Element = __nv_bfloat16;
  static constexpr int kDepth = kDepthOf<Element>;
  static constexpr bool kAMnMajor = transpose_a, kBMnMajor = transpose_a || !transpose_b;
  static constexpr Share kShare = share;
  const int32_t* bins;
  int64_t rows;
  int k, n, num_experts;
  Output output;

  class Schedule {
   public:
    __device__ Schedule(const Grouped& g, int cluster, int num_clusters, int rank)
        : g_(g), num_clusters_(num_clusters), rank_(rank), index_(cluster) {
      enter();
    }

    __device__ bool next(Work& work) {
      while (expert_ < g_.num_experts && index_ >= before_ + count_) {
        before_ += count_;
        expert_++;
        begin_ = end_;
        enter();
      }
      if (expert_ >= g_.num_experts) return false;
      const int64_t unit = index_ - before_;
      index_ += num_clusters_;
      // Tiles of one column first: the blocks that run together share few columns of the expert's matrix.
      int64_t down = unit % down_, across = unit / down_;
      (share == kShareA ? across : down) *= kCluster;
      (share == kShareA ? across : down) += rank_;
      const int64_t length = transpose_a ? end_ - begin_ : g_.k;
      work.steps = static_cast<int>(ceil_divide<int64_t>(length, kDepth));
      work.tail = static_cast<int>(length - int64_t{kDepth} * (work.steps - 1));
      work.row = down * kTileRows;
      work.column = static_cast<int>(across * kTileColumns);
      work.rows = static_cast<int>(min(result_rows() - work.row, int64_t{kTileRows}));
      work.columns = min(g_.n - work.column, kTileColumns);
      work.group = expert_;
      work.begin = begin_;
      return true;
    }
    /// Where the last expert's rows end, when all tiles have been given.
    __device__ int64_t end() const { return end_; }

   private:
    __device__ int64_t result_rows() const { return transpose_a ? g_.k : end_ - begin_; }
    __device__ void enter() {
      if (expert_ >= g_.num_experts) return;
      end_ = min(max(int64_t{g_.bins[expert_]}, begin_), g_.rows);
      down_ = ceil_divide<int64_t>(result_rows(), kTileRows * (share == kShareB ? kCluster : 1));
      count_ = down_ * ceil_divide(g_.n, kTileColumns * (share == kShareA ? kCluster : 1));
    }

    const Grouped& g_;
    const int num_clusters_, rank_;
    int expert_ = 0;
    int64_t index_, before_ = 0, begin_ = 0, end_ = 0, down_ = 0, count_ = 0;
  };

  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = int64_t{step} * kDepth + (transpose_a ? w.begin : 0);
    const int64_t row = w.row + (transpose_a ? 0 : w.begin);
    const int matrix = transpose_a ? 0 : static_cast<int>(w.group);
    return {{depth, row, 0}, {{depth, w.column, matrix}, {depth, w.column + kHalfColumns, matrix}}};
  }
  __device__ auto line(const Work& w, int row, bool exists) const {
    return output.line((transpose_a ? w.group * k : w.begin) + w.row + row, w.column, exists);
  }
  /// Rows beyond the last bin are a product of nothing.
  __device__ void finish(const Schedule& schedule, int thread, int num_threads) const {
    if (transpose_a) return;
    const int vectors = n / 4;
    for (int64_t row = schedule.end() + blockIdx.x; row < rows; row += gridDim.x) {
      auto to = output.line(row, 0, true);
      for (int i = thread; i < vectors; i += num_threads) to.clear(i * 4);
    }
  }
};

/// A matrix in float32 of n columns.
struct PlainOutput {
  float* out;
  int64_t n;

  struct Line : LoadsNothing {
    float* to;
    __device__ void store(int, int column, float4 v, bool valid) {
      if (valid) *reinterpret_cast<float4*>(to + column) = v;
    }
    __device__ void clear(int column) { store(0, column, {}, true); }
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(int64_t row, int column, bool) const { return {{}, out + row * n + column}; }
};

/// Whether blocks that are neighbours in a column, who share b, waste less by tiles that do not exist; to
/// share b saves more loads, but the number of rows that an expert has is known on average only.
inline bool shares_b(int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a) {
  // Half a tile is what a number of tiles that may be odd or even costs on average.
  const auto waste = [](double tiles) {
    const int64_t whole = static_cast<int64_t>(tiles);
    return (tiles == whole ? kCluster * ceil_divide<int64_t>(whole, kCluster) : tiles + 0.5) / tiles;
  };
  const double down = transpose_a ? ceil_divide<int64_t>(k, kTileRows) : double(rows) / num_experts / kTileRows + 0.5;
  const double across = ceil_divide<int64_t>(n, kTileColumns);
  return waste(down) < waste(across) + 0.04;
}

}  // namespace hopper
}  // namespace megablocks
