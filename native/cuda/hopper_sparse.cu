#include "hopper_sparse.cuh"

#include "hopper_grouped.cuh"

namespace megablocks {
namespace {

using namespace hopper;

using Element = __nv_bfloat16;
constexpr int kBlock = 128, kDepth = kDepthOf<Element>;
static_assert(kBlock == kTileRows && kBlock == kHalfColumns && kBlock == 2 * kDepth, "");

/// The lines of blocks of op(values) and what is in them, without the divisions that an index takes: one thread
/// finds what all wait for.
class Lines {
 public:
  Lines(const MegaBlocksSparseIndex& index, bool transpose)
      : offsets_(transpose ? index.offsets_t : index.offsets),
        inner_(transpose ? index.column_indices_t : index.column_indices),
        blocks_(transpose ? index.block_offsets_t : nullptr),
        num_blocks_(static_cast<int>(index.num_blocks)),
        count_(static_cast<int>((transpose ? index.columns : index.rows) / kBlock)),
        num_inner_(static_cast<int>((transpose ? index.rows : index.columns) / kBlock)) {}

  __host__ __device__ int count() const { return count_; }
  __device__ int num_blocks() const { return num_blocks_; }
  /// The entries of a line; lines that do not exist hold nothing.
  __device__ int begin(int line) const { return bound(line); }
  __device__ int end(int line) const { return bound(line + 1); }
  /// Which block lies at an entry, and which inner one it meets: if there is none before `end`, one beyond the last
  /// of either, where all is zero.
  struct Entry {
    int block, inner;
  };
  __device__ Entry entry(int i, int end) const {
    if (i < end) {
      const Entry e{blocks_ == nullptr ? i : blocks_[i], inner_[i]};
      if (e.block >= 0 && e.block < num_blocks_ && e.inner >= 0 && e.inner < num_inner_) return e;
    }
    return {num_blocks_, num_inner_};
  }

 private:
  __device__ int bound(int line) const { return min(max(offsets_[min(line, count_)], 0), num_blocks_); }
  const int32_t *offsets_, *inner_, *blocks_;
  int num_blocks_, count_, num_inner_;
};

// The blocks of a cluster have two lines of blocks that follow each other. Where their blocks lie in the same
// columns, which is so for most of those that belong to one expert, they share the right operand.

/// op(a) op(b) at the index. A tile is two blocks that follow each other in a row of blocks, wherever
/// their columns are.
template <bool transpose_a, bool transpose_b>
struct SddFamily {
  using Element = __nv_bfloat16;
  static constexpr bool kTransposed = false;
  static constexpr bool kAMnMajor = transpose_a, kBMnMajor = !transpose_b;
  static constexpr Share kShare = kShareB;
  Lines lines;
  int k;
  float* values;

  /// Goes over bands of pairs of lines, in each over the first tiles of all lines, then over the second: blocks
  /// that run together share few rows of a and few columns of b.
  class Schedule {
   public:
    __device__ Schedule(const SddFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), pairs_(ceil_divide(f.lines.count(), kCluster)), num_clusters_(num_clusters), rank_(rank),
          index_(cluster) {
      enter();
    }
    __device__ bool next(Work& work) {
      while (band_ < pairs_ && index_ >= before_ + count_) {
        before_ += count_;
        band_ += kBand;
        enter();
      }
      if (band_ >= pairs_) return false;
      int position, pair;
      find(static_cast<int>(index_ - before_), position, pair);
      index_ += num_clusters_;
      const Lines& lines = f_.lines;
      const int line = (band_ + pair) * kCluster + rank_, other = line ^ 1;
      const int begin = lines.begin(line) + position * 2, end = lines.end(line);
      const int other_begin = lines.begin(other) + position * 2, other_end = lines.end(other);
      work.shared = (end - begin > 1) == (other_end - other_begin > 1);
      for (int half = 0; half < 2; half++) {
        work.halves[half] = lines.entry(begin + half, end).inner * kBlock;
        work.shared = work.shared && work.halves[half] == lines.entry(other_begin + half, other_end).inner * kBlock;
      }
      work.steps = ceil_divide(f_.k, kDepth);
      work.head = 0;
      work.tail = kDepth;
      work.rows = kTileRows;
      work.columns = min(end - begin, 2) * kBlock;
      work.row = int64_t{line} * kBlock;
      work.column = 0;
      work.begin = begin;
      return true;
    }

   private:
    static constexpr int kBand = 8;

    __device__ void enter() {
#pragma unroll
      for (int i = 0; i < kBand; i++) {
        int most = 0;
        for (int j = 0; j < kCluster; j++) {
          const int line = (band_ + i) * kCluster + j;
          most = max(most, f_.lines.end(line) - f_.lines.begin(line));
        }
        tiles_[i] = ceil_divide(most, 2);
        least_ = i == 0 ? tiles_[i] : min(least_, tiles_[i]);
      }
      count_ = tiles_before(INT32_MAX);
    }
    /// Tiles of the band's pairs that come before a position in their lines.
    __device__ int tiles_before(int position) const {
      int sum = 0;
#pragma unroll
      for (int i = 0; i < kBand; i++) sum += min(tiles_[i], position);
      return sum;
    }
    /// The position and the pair of a tile of the band.
    __device__ void find(int tile, int& position, int& pair) const {
      if (tile < least_ * kBand) {
        position = tile / kBand;
        pair = tile % kBand;
        return;
      }
      int end = 0;
#pragma unroll
      for (int i = 0; i < kBand; i++) end = max(end, tiles_[i]);
      position = 0;
      while (end - position > 1) {
        const int middle = (position + end) / 2;
        (tiles_before(middle) <= tile ? position : end) = middle;
      }
      int rest = tile - tiles_before(position);
#pragma unroll
      for (int i = 0; i < kBand; i++) {
        if (tiles_[i] > position && rest-- == 0) pair = i;
      }
    }

    const SddFamily& f_;
    const int pairs_, num_clusters_, rank_;
    int64_t index_, before_ = 0;
    int band_ = 0, tiles_[kBand], least_ = 0, count_ = 0;
  };

  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = int64_t{step} * kDepth;
    return {{depth, w.row, 0}, {{depth, w.halves[0], 0}, {depth, w.halves[1], 0}}, w.shared};
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
  __device__ void finish(const Schedule&, int thread, int num_threads) const {
    const int64_t end = lines.end(lines.count() - 1);
    const int64_t size = (lines.num_blocks() - end) * (kBlock * kBlock / 4);
    float4* to = reinterpret_cast<float4*>(values + end * kBlock * kBlock);
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
  static constexpr Share kShare = kShareB;
  Lines lines;
  int n;
  float* out;

  class Schedule {
   public:
    __device__ Schedule(const DsdFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), across_(ceil_divide(f.n, kTileColumns)), num_clusters_(num_clusters), rank_(rank),
          index_(cluster) {}
    __device__ bool next(Work& work) {
      const Lines& lines = f_.lines;
      if (index_ >= ceil_divide(lines.count(), kCluster) * across_) return false;
      const int line = index_ / across_ * kCluster + rank_, other = line ^ 1;
      work.column = index_ % across_ * kTileColumns;
      index_ += num_clusters_;
      work.begin = lines.begin(line);
      work.end = lines.end(line);
      work.other_begin = lines.begin(other);
      work.other_end = lines.end(other);
      work.steps = max(work.end - static_cast<int>(work.begin), work.other_end - work.other_begin) * 2;
      work.head = 0;
      work.tail = kDepth;
      work.rows = line < lines.count() ? kTileRows : 0;
      work.columns = min(f_.n - work.column, kTileColumns);
      work.row = int64_t{line} * kBlock;
      return true;
    }

   private:
    const DsdFamily& f_;
    const int across_, num_clusters_, rank_;
    int index_;
  };

  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = step % 2 * kDepth;
    const auto [block, inner] = lines.entry(static_cast<int>(w.begin) + step / 2, w.end);
    const int64_t row = inner * kBlock + depth;
    return {{depth, 0, block},
            {{row, w.column, 0}, {row, w.column + kHalfColumns, 0}},
            inner == lines.entry(w.other_begin + step / 2, w.other_end).inner};
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
      const int64_t size = lines.count() * kBlock;
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
  const SddFamily<transpose_a, transpose_b> family{{index, false}, static_cast<int>(k), values};
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
