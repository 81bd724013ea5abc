#include "hopper_sparse.cuh"

#include "hopper_grouped.cuh"
#include "products.cuh"

namespace megablocks {
namespace {

using namespace hopper;

using Element = __nv_bfloat16;
constexpr int kBlock = 128, kDepth = kDepthOf<Element>;
static_assert(kBlock == kTileRows && kBlock == kHalfColumns && kBlock == 2 * kDepth, "");

/// The entries of a line of blocks, within bounds.
struct Entries {
  int64_t begin, end;
};
__device__ Entries entries_of(const int32_t* offsets, int64_t line, int64_t num_blocks) {
  const auto bound = [&](int64_t i) { return min(max(i, int64_t{0}), num_blocks); };
  const int64_t begin = bound(offsets[line]);
  return {begin, max(bound(offsets[line + 1]), begin)};
}

/// op(a) op(b) at the index. A tile is two blocks that follow each other in a row of blocks, wherever
/// their columns are.
template <bool transpose_a, bool transpose_b>
struct SddFamily {
  using Element = __nv_bfloat16;
  static constexpr bool kTransposed = false;
  static constexpr bool kAMnMajor = transpose_a, kBMnMajor = !transpose_b;
  static constexpr Share kShare = kShareA;
  MegaBlocksSparseIndex index;
  int k;
  float* values;

  class Schedule {
   public:
    __device__ Schedule(const SddFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), lines_(f.index.rows / kBlock), num_clusters_(num_clusters), rank_(rank), index_(cluster) {
      enter();
    }
    __device__ bool next(Work& work) {
      while (line_ < lines_ && index_ >= before_ + count_) {
        before_ += count_;
        line_++;
        enter();
      }
      if (line_ >= lines_) return false;
      const int64_t first = entries_.begin + ((index_ - before_) * kCluster + rank_) * 2;
      index_ += num_clusters_;
      work.steps = ceil_divide(f_.k, kDepth);
      work.head = 0;
      work.tail = kDepth;
      work.rows = kTileRows;
      work.columns = static_cast<int>(min(entries_.end - first, int64_t{2})) * kBlock;
      work.row = line_ * kBlock;
      work.column = 0;
      work.group = line_;
      work.begin = first;
      return true;
    }
    /// The end of what the lines hold.
    __device__ int64_t end() const { return entries_.end; }

   private:
    __device__ void enter() {
      if (line_ >= lines_) return;
      entries_ = entries_of(f_.index.offsets, line_, f_.index.num_blocks);
      count_ = ceil_divide<int64_t>(entries_.end - entries_.begin, 2 * kCluster);
    }
    const SddFamily& f_;
    const int64_t lines_;
    const int num_clusters_, rank_;
    int64_t index_, line_ = 0, before_ = 0, count_ = 0;
    Entries entries_{};
  };

  /// Where the columns of a tile's block begin; -1 where there is none.
  __device__ int64_t column_of(const Work& w, int half) const {
    const int64_t block = w.begin + half;
    if (half * kBlock >= w.columns) return -1;
    const int64_t column = index.column_indices[block];
    return is_used(index, w.group, column) ? column * kBlock : -1;
  }
  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = int64_t{step} * kDepth;
    Places p{{depth, w.row, 0}};
    for (int half = 0; half < 2; half++) {
      const int64_t column = column_of(w, half);
      // Beyond the last column all is zero.
      p.b[half] = {depth, column < 0 ? index.columns : column, 0};
    }
    return p;
  }
  struct Line : LoadsNothing {
    float* to;
    __device__ void store(int, int column, float4 v, bool valid) {
      if (!valid) return;
      // The second block follows the first.
      *reinterpret_cast<float4*>(to + column + (column < kBlock ? 0 : kBlock * kBlock - kBlock)) = v;
    }
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(const Work& w, int row, bool) const {
    return {{}, values + (w.begin * kBlock + row) * kBlock};
  }
  /// Blocks that are in no line are not used.
  __device__ void finish(const Schedule& schedule, int thread, int num_threads) const {
    const int64_t size = (index.num_blocks - schedule.end()) * (kBlock * kBlock / 4);
    float4* to = reinterpret_cast<float4*>(values + schedule.end() * kBlock * kBlock);
    for (int64_t i = blockIdx.x * int64_t{num_threads} + thread; i < size; i += gridDim.x * int64_t{num_threads}) {
      to[i] = {};
    }
  }
};

/// op(values) op(b): a row of blocks after the other, summed over the blocks in it.
template <bool transpose_a, bool transpose_b, bool transposed_out>
struct DsdFamily {
  using Element = __nv_bfloat16;
  static constexpr bool kTransposed = false;
  static constexpr bool kAMnMajor = transpose_a, kBMnMajor = !transpose_b;
  static constexpr Share kShare = kShareA;
  SparseLine lines;
  int n;
  float* out;

  class Schedule {
   public:
    __device__ Schedule(const DsdFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), across_(ceil_divide(f.n, kTileColumns * kCluster)), num_clusters_(num_clusters), rank_(rank),
          index_(cluster) {}
    __device__ bool next(Work& work) {
      if (index_ >= f_.lines.lines() * across_) return false;
      const int64_t line = index_ / across_;
      work.column = static_cast<int>(index_ % across_ * kCluster + rank_) * kTileColumns;
      index_ += num_clusters_;
      work.begin = f_.lines.begin(line);
      work.steps = static_cast<int>(max(f_.lines.end(line) - work.begin, int64_t{0})) * 2;
      work.head = 0;
      work.tail = kDepth;
      work.rows = kTileRows;
      work.columns = min(f_.n - work.column, kTileColumns);
      work.row = line * kBlock;
      work.group = line;
      return true;
    }

   private:
    const DsdFamily& f_;
    const int64_t across_;
    const int num_clusters_, rank_;
    int64_t index_;
  };

  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = step % 2 * kDepth;
    int64_t block, inner;
    if (!lines.entry(w.group, w.begin + step / 2, block, inner)) {
      // Beyond the last block all is zero.
      block = lines.index.num_blocks;
      inner = 0;
    }
    const int64_t row = inner * kBlock + depth;
    return {{depth, 0, static_cast<int>(block)}, {{row, w.column, 0}, {row, w.column + kHalfColumns, 0}}};
  }
  struct Line : LoadsNothing {
    float* to;
    int64_t stride;
    __device__ void store(int, int column, float4 v, bool valid) {
      if (!valid) return;
      if constexpr (transposed_out) {
        float* const first = to + column * stride;
        first[0] = v.x;
        first[stride] = v.y;
        first[2 * stride] = v.z;
        first[3 * stride] = v.w;
      } else {
        *reinterpret_cast<float4*>(to + column) = v;
      }
    }
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(const Work& w, int row, bool) const {
    if constexpr (transposed_out) {
      const int64_t size = lines.lines() * kBlock;
      return {{}, out + w.column * size + w.row + row, size};
    } else {
      return {{}, out + (w.row + row) * n + w.column, 1};
    }
  }
  __device__ void finish(const Schedule&, int, int) const {}
};

/// A dense operand, [height, width] in memory.
OperandSource dense_source(const float* from, int64_t height, int64_t width, Parts& parts) {
  OperandSource x;
  x.from = from;
  x.height = height;
  x.width = width;
  x.half = parts.take<__nv_bfloat16>(height * width);
  return x;
}

struct Operands {
  OperandSource a, b;
};

Operands sdd_operands(
    const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, Parts& parts) {
  const OperandSource left = transpose_a ? dense_source(a, k, index.rows, parts)
                                         : dense_source(a, index.rows, k, parts);
  return {left, transpose_b ? dense_source(b, index.columns, k, parts)
                            : dense_source(b, k, index.columns, parts)};
}

Operands dsd_operands(
    const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a,
    bool transpose_b, Parts& parts) {
  OperandSource left = dense_source(values, index.num_blocks * kBlock, kBlock, parts);
  left.height = kBlock;
  left.depth = index.num_blocks;
  const int64_t inner = transpose_a ? index.rows : index.columns;
  return {left, transpose_b ? dense_source(b, n, inner, parts) : dense_source(b, inner, n, parts)};
}

template <bool transpose_a, bool transpose_b>
cudaError_t launch_sdd(
    const Operands& x, const MegaBlocksSparseIndex& index, int64_t k, float* values, cudaStream_t stream) {
  const SddFamily<transpose_a, transpose_b> family{index, static_cast<int>(k), values};
  return launch(x.a, x.b, family, stream);
}

template <bool transpose_a, bool transpose_b, bool transposed_out>
cudaError_t launch_dsd(
    const Operands& x, const MegaBlocksSparseIndex& index, int64_t n, float* out, cudaStream_t stream) {
  const DsdFamily<transpose_a, transpose_b, transposed_out> family{{index, transpose_a}, static_cast<int>(n), out};
  return launch(x.a, x.b, family, stream);
}

}  // namespace

bool hopper_supports_sparse(const MegaBlocksSparseIndex& index, int64_t other) {
  return index.block_size == kBlock && index.num_blocks > 0 && index.num_blocks < INT32_MAX / kBlock &&
         index.rows < INT32_MAX / 2 && index.columns < INT32_MAX / 2 && hopper_supports(other, kBlock);
}

size_t hopper_sdd_workspace(const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b) {
  Parts parts;
  sdd_operands(nullptr, nullptr, index, k, transpose_a, transpose_b, parts);
  return parts.size();
}

size_t hopper_dsd_workspace(const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b) {
  Parts parts;
  dsd_operands(nullptr, nullptr, index, n, transpose_a, transpose_b, parts);
  return parts.size();
}

cudaError_t hopper_sdd(
    const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, float* values, void* workspace, cudaStream_t stream) {
  Parts parts(workspace);
  const Operands x = sdd_operands(a, b, index, k, transpose_a, transpose_b, parts);
  const auto call = transpose_a ? transpose_b ? launch_sdd<true, true> : launch_sdd<true, false>
                    : transpose_b ? launch_sdd<false, true>
                                  : launch_sdd<false, false>;
  return call(x, index, k, values, stream);
}

cudaError_t hopper_dsd(
    const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a,
    bool transpose_b, bool transposed_out, float* out, void* workspace, cudaStream_t stream) {
  Parts parts(workspace);
  const Operands x = dsd_operands(values, b, index, n, transpose_a, transpose_b, parts);
  const auto choose = [&](auto transposed) {
    constexpr bool t = decltype(transposed)::value;
    return transpose_a ? transpose_b ? launch_dsd<true, true, t> : launch_dsd<true, false, t>
           : transpose_b ? launch_dsd<false, true, t>
                         : launch_dsd<false, false, t>;
  };
  const auto call = transposed_out ? choose(std::true_type()) : choose(std::false_type());
  return call(x, index, n, out, stream);
}

}  // namespace megablocks
