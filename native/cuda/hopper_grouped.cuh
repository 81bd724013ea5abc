// Grouped products as families of hopper_product.cuh, and what their launchers share.
#pragma once

#include <cstddef>

#include "hopper_product.cuh"

namespace megablocks {

/// Whether this GPU and these sizes are for it: rows in memory must be whole vectors of 16 bytes, of which
/// `vector` elements are one: 8 of bfloat16, 4 of TF32.
bool hopper_supports(int64_t k, int64_t n, int vector = 8);

/// The precision to multiply in by wgmma where it has these of the two; kMegaBlocksFloat32 where it does not.
/// bfloat16 multiplies twice as fast as TF32, which rounds less, but takes a pass over the elements of both operands
/// first; so TF32 is the faster one where an element is multiplied few times.
inline int faster_precision(int precision, bool has_bfloat16, bool has_tf32, double products, double elements) {
  // On an H200, about where both take as long.
  constexpr double kTimes = 500;
  if (precision == kMegaBlocksBfloat16 && has_bfloat16 && !(has_tf32 && products < kTimes * elements)) return precision;
  const bool asked = precision == kMegaBlocksBfloat16 || precision == kMegaBlocksTf32;
  return asked && has_tf32 ? kMegaBlocksTf32 : kMegaBlocksFloat32;
}

/// The bytes that megablocks_grouped_mat_mul needs: one operand or both in bfloat16.
size_t hopper_grouped_workspace(
    int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool transpose_b);

/// megablocks_grouped_mat_mul, of at least one row and one expert, and less than 2^30 rows.
cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream);

/// The same in TF32: of the workspace, one operand transposed where both are summed over their rows.
size_t hopper_grouped_tf32_workspace(int64_t rows, int64_t k, int64_t n, bool transpose_a);
cudaError_t hopper_grouped_mat_mul_tf32(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream);

namespace hopper {

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

/// How two operands come to be bfloat16: the smaller one is converted in memory, the larger one there too or rounded on
/// the way to its multiplications. This saves a pass over it, but each multiplication waits for twice its bytes.
struct Rounding {
  bool b_larger = false, on_the_way = false;

  Rounding() = default;
  /// `products` is how many numbers are multiplied; on an H200 it takes as long either way at about `times` as many as
  /// the larger operand has.
  Rounding(int64_t a_size, int64_t b_size, double products, double times)
      : b_larger(b_size > a_size), on_the_way(products < times * double(b_larger ? b_size : a_size)) {}
};
/// Takes the memory of those that are converted in it.
inline void take_halves(const Rounding& rounding, OperandSource& a, OperandSource& b, Parts& parts) {
  if (!rounding.on_the_way || rounding.b_larger) a.half = parts.take<__nv_bfloat16>(a.size());
  if (!rounding.on_the_way || !rounding.b_larger) b.half = parts.take<__nv_bfloat16>(b.size());
}
/// The `times` of a product, and fewer of one that stores float32 matrices of all experts.
constexpr double kTimesRounded = 1500, kTimesRoundedForMatrices = 900;

/// Rounds those of the operands that are float32 to bfloat16; of b, what a lead has.
cudaError_t convert(const OperandSource& a, const OperandSource& b, const Lead& lead_of_b, cudaStream_t stream);
inline cudaError_t convert(const OperandSource& a, const OperandSource& b, cudaStream_t stream) {
  return convert(a, b, whole(b), stream);
}

/// A matrix's map, by which boxes of 128 bytes by `box_height` are loaded or stored. What is loaded beyond an edge is
/// zero. float32 may be rounded to TF32 on the way.
template <typename Element>
bool make_map(CUtensorMap& map, const Matrix<Element>& x, int box_height, bool to_tf32);
cudaError_t num_multiprocessors(int& count);

template <typename Family>
cudaError_t launch(
    const Matrix<typename Family::AElement>& a, const Matrix<typename Family::Element>& b, const Family& family,
    cudaStream_t stream, const Strip& aside = {}) {
  constexpr int kDepth = Stage<Family>::kDepth;
  constexpr bool kTf32 = std::is_same<typename Family::Element, float>::value;
  CUtensorMap a_map, b_map, result_map{};
  if (!make_map(a_map, a, box_height(kDepth, Family::kAMnMajor, 1), kTf32) ||
      !make_map(b_map, b, box_height(kDepth, Family::kBMnMajor, 2), kTf32)) {
    return cudaErrorInvalidValue;
  }
  if constexpr (Family::kTransposed) {
    if (!make_map(result_map, family.result(), kStoredColumns, false)) return cudaErrorInvalidValue;
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
  return cudaLaunchKernelEx(&config, kernel, a_map, b_map, result_map, family, aside);
}

inline Matrix<__nv_bfloat16> converted(const OperandSource& x) { return {x.half, x.width, x.height, x.depth, x.width}; }
inline Matrix<float> as_it_lies(const OperandSource& x) { return {x.from, x.width, x.height, x.depth, x.width}; }

/// `aside` is converted while the product is made.
template <typename Family>
cudaError_t launch(
    const OperandSource& a, const OperandSource& b, const Family& family, cudaStream_t stream,
    const Strip& aside = {}) {
  if (cudaError_t e = convert(a, b, stream)) return e;
  return launch(converted(a), converted(b), family, stream, aside);
}

/// A product in two launches, of which the first needs no more of b than a lead: the rest is converted beside it.
template <typename Family>
cudaError_t launch_in_two(
    const OperandSource& a, const OperandSource& b, const Lead& lead, const Family& first, const Family& others,
    cudaStream_t stream, const Strip& aside = {}) {
  if (cudaError_t e = convert(a, b, lead, stream)) return e;
  if (cudaError_t e = launch(converted(a), converted(b), first, stream, Strip(b.from, b.half, lead))) return e;
  return launch(converted(a), converted(b), others, stream, aside);
}

/// The rows between the bins of a [rows, k] times each expert's b [E, k, n] ([E, n, k] with transpose_b);
/// with transpose_a, a [rows, k] transposed times b [rows, n], between the bins, for each expert.
/// Output: makes the line of the result for a row. With `swapped` the transpose is computed, b transposed times a
/// transposed: b is the kernel's left operand. In TF32 the right one must be K-major.
template <bool transpose_a, bool transpose_b, Share share, typename Output, typename Element_ = __nv_bfloat16,
          bool swapped = false, typename AElement_ = Element_>
struct Grouped {
  using Element = Element_;
  using AElement = AElement_;
  static constexpr int kDepth = kDepthOf<Element>;
  static constexpr bool kTransposed = swapped;
  static constexpr bool kAMnMajor = transpose_a || (swapped && !transpose_b);
  static constexpr bool kBMnMajor =
      std::is_same<Element, __nv_bfloat16>::value && (transpose_a || (!swapped && !transpose_b));
  static constexpr Share kShare = share;
  /// Whether tiles of rows that follow each other are a cluster's two only by their order: there may be an odd
  /// number of them, which is known on the device alone, and no block is to go without.
  static constexpr bool kPaired = share == kShareB && !transpose_a && !swapped;
  /// Whether tiles of fewer columns, at the end of an expert's rows, are dealt out apart from the whole ones: every
  /// cluster gets as many of either.
  static constexpr bool kEndsApart = share == kShareB && !transpose_a && swapped;
  const int32_t* bins;
  int64_t rows;
  int k, n, num_experts;
  Output output;
  /// A launch may be of these experts' rows alone, up to num_experts; then another one is the last.
  int first_expert = 0;
  bool is_last = true;

  class Schedule {
   public:
    __device__ Schedule(const Grouped& g, int cluster, int num_clusters, int rank)
        : g_(g), stride_(kPaired ? num_clusters * kCluster : num_clusters), rank_(rank),
          tiles_{kPaired ? cluster * kCluster + rank : cluster}, ends_{num_clusters - 1 - cluster} {
      for (; expert_ < g_.first_expert; expert_++) begin_ = end_of_expert();
      enter();
    }

    __device__ bool next(Work& work) {
      while (expert_ < g_.num_experts && !tiles_.has_more() && !(kEndsApart && ends_.has_more())) {
        tiles_.leave();
        ends_.leave();
        expert_++;
        begin_ = end_;
        enter();
      }
      if (expert_ >= g_.num_experts) return gives_nothing(work);
      int down, across;
      if (kEndsApart && !tiles_.has_more()) {
        down = ends_.take(stride_);
        across = across_;
      } else {
        find(tiles_.take(stride_), down, across, work.shared);
      }
      if (!kPaired) {
        (share == kShareA ? across : down) *= kCluster;
        (share == kShareA ? across : down) += rank_;
        work.shared = true;
      }
      // Of an operand that is K-major along rows, boxes begin at whole vectors.
      const int64_t first = transpose_a && !kBMnMajor ? begin_ / 4 * 4 : begin_;
      const int64_t length = transpose_a ? end_ - first : g_.k;
      work.steps = static_cast<int>(ceil_divide<int64_t>(length, kDepth));
      work.head = static_cast<int>(begin_ - first);
      // Beyond k all is zero.
      work.tail = transpose_a ? static_cast<int>(length - int64_t{kDepth} * (work.steps - 1)) : kDepth;
      work.row = int64_t{down} * kTileRows;
      work.column = across * kTileColumns;
      work.rows = static_cast<int>(min(height() - work.row, int64_t{kTileRows}));
      work.columns = static_cast<int>(min(width() - work.column, int64_t{kTileColumns}));
      work.group = expert_;
      work.begin = first;
      return true;
    }
    /// Where the last expert's rows end, when all tiles have been given.
    __device__ int64_t end() const { return end_; }

   private:
    /// The tiles of all experts, of which every so many-th is given.
    struct Deal {
      int64_t index, before = 0;
      int count = 0;  // Of the expert.
      __device__ bool has_more() const { return index < before + count; }
      __device__ int take(int stride) {
        const int unit = static_cast<int>(index - before);
        index += stride;
        return unit;
      }
      __device__ void leave() { before += count; }
    };

    /// Where a tile lies, and, of those paired by their order, whether the other one lies in the same column.
    __device__ void find(int unit, int& down, int& across, bool& shared) const {
      // Tiles of one column of the result first: the blocks that run together share few columns of the
      // expert's matrix. Of a transposed product, along its shorter side: what all share stays in the L2.
      if (swapped || (transpose_a && across_ < down_)) {
        down = unit / across_;
        across = unit % across_;
        return;
      }
      down = unit % down_;
      across = unit / down_;
      const int other = unit + (rank_ == 0 ? 1 : -1);
      shared = other >= 0 && other < tiles_.count && other / down_ == across;
    }
    /// All tiles have been given: no work, but where the other block has the last, as many steps.
    __device__ bool gives_nothing(Work& work) {
      if (!kPaired || rank_ == 0 || tiles_.index != tiles_.before) return false;
      tiles_.index += stride_;
      work = {};
      work.steps = static_cast<int>(ceil_divide<int64_t>(g_.k, kDepth));
      return true;
    }
    __device__ int64_t result_rows() const { return transpose_a ? g_.k : end_ - begin_; }
    /// What tiles of rows and columns cover.
    __device__ int64_t height() const { return swapped ? g_.n : result_rows(); }
    __device__ int64_t width() const { return swapped ? result_rows() : g_.n; }
    __device__ int64_t end_of_expert() const { return min(max(int64_t{g_.bins[expert_]}, begin_), g_.rows); }
    __device__ void enter() {
      if (expert_ >= g_.num_experts) return;
      end_ = end_of_expert();
      down_ = ceil_divide(static_cast<int>(height()), kTileRows * (share == kShareB && !kPaired ? kCluster : 1));
      across_ = ceil_divide(static_cast<int>(width()), kTileColumns * (share == kShareA ? kCluster : 1));
      if (kEndsApart && width() % kTileColumns > 0) {
        across_--;
        ends_.count = down_;
      } else {
        ends_.count = 0;
      }
      tiles_.count = down_ * across_;
    }

    const Grouped& g_;
    const int stride_, rank_;
    int expert_ = 0, down_ = 0, across_ = 0;
    int64_t begin_ = 0, end_ = 0;
    Deal tiles_, ends_;
  };

  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = int64_t{step} * kDepth + (transpose_a ? w.begin : 0);
    const int64_t first_row = transpose_a ? 0 : w.begin;
    const int matrix = transpose_a ? 0 : static_cast<int>(w.group);
    if constexpr (swapped) {
      const int64_t column = first_row + w.column;
      return {{depth, w.row, matrix}, {{depth, column, 0}, {depth, column + kHalfColumns, 0}}, w.shared};
    }
    return {{depth, first_row + w.row, 0},
            {{depth, w.column, matrix}, {depth, w.column + kHalfColumns, matrix}},
            w.shared};
  }
  __device__ auto line(const Work& w, int row, bool exists) const {
    return output.line((transpose_a ? w.group * k : w.begin) + w.row + row, w.column, exists);
  }
  /// What is stored where the transpose is computed.
  Matrix<float> result() const {
    return {output.out, n, transpose_a ? k : rows, transpose_a ? num_experts : 1, n};
  }
  __device__ Place place(const Work& w, int row, int column) const {
    const int64_t first = transpose_a ? 0 : w.begin;
    return {w.row + row, first + w.column + column, transpose_a ? static_cast<int>(w.group) : 0};
  }
  __device__ void store(const Work& w, int column, int row, float4 v) const {
    output.store((transpose_a ? w.group * k : w.begin) + w.column + column, w.row + row, v);
  }
  /// Rows beyond the last bin are a product of nothing.
  __device__ void finish(const Schedule& schedule, int thread, int num_threads) const {
    if (transpose_a || !is_last) return;
    const int vectors = n / 4;
    for (int64_t row = schedule.end() + blockIdx.x; row < rows; row += gridDim.x) {
      auto to = output.line(row, 0, true);
      for (int i = thread; i < vectors; i += num_threads) to.clear(i * 4);
    }
  }
};

/// What a call of a grouped product multiplies, besides the operands.
struct GroupedCall {
  const int32_t* bins;
  int64_t rows, k, n;
  int num_experts;
  float* out;
  cudaStream_t stream;
};

/// The launch of a grouped product of operands that are to be converted. Of a matrix for each expert, those of the last
/// experts are converted while the first ones' rows are multiplied.
template <typename Family>
cudaError_t launch_by_experts(
    const OperandSource& a, const OperandSource& b, const Family& family, cudaStream_t stream,
    const Strip& aside = {}) {
  if (b.from == nullptr || b.depth == 1) return launch(a, b, family, stream, aside);
  // Less beside the first, where there is something to convert beside the others, too.
  const int count = ceil_divide(family.num_experts, aside.lead.rows > 0 ? 4 : 2);
  Family first = family, others = family;
  first.num_experts = others.first_expert = count;
  first.is_last = false;
  return launch_in_two(a, b, {1, b.size() / 4, count * b.width * b.height / 4}, first, others, stream, aside);
}

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
  __device__ void store(int64_t row, int column, float4 v) const {
    *reinterpret_cast<float4*>(out + row * n + column) = v;
  }
};

/// Whether blocks that are neighbours in a column, who share b, waste less by tiles that do not exist; to
/// share b saves more loads.
inline bool shares_b(int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool swapped = false) {
  // Half a tile is what a number of tiles that may be odd or even costs on average.
  const auto waste = [](double tiles) {
    const int64_t whole = static_cast<int64_t>(tiles);
    return (tiles == whole ? kCluster * ceil_divide<int64_t>(whole, kCluster) : tiles + 0.5) / tiles;
  };
  // The number of rows that an expert has is known on average only.
  const auto along_rows = [&](int tile) {
    return transpose_a ? ceil_divide<int64_t>(k, tile) : double(rows) / num_experts / tile + 0.5;
  };
  const double down = swapped ? ceil_divide<int64_t>(n, kTileRows) : along_rows(kTileRows);
  const double across = swapped ? along_rows(kTileColumns) : ceil_divide<int64_t>(n, kTileColumns);
  // Where tiles are paired by their order (Grouped::kPaired), enough of them have a neighbour.
  if (!transpose_a && !swapped && down >= 2) return true;
  return waste(down) < waste(across) + 0.04;
}

}  // namespace hopper
}  // namespace megablocks
