// Block-sparse products, with blocks of 128, as families of hopper_product.cuh, in bfloat16 and TF32.
//
// Of TF32, the right operand must be K-major. Where it is not, but the left one is, the transpose of the product is
// computed: `swapped`.
#pragma once

#include "hopper_product.cuh"

namespace megablocks {
namespace hopper {

constexpr int kBlock = 128;
static_assert(kBlock == kTileRows && kBlock == kHalfColumns, "");

/// The steps that a block takes along the inner size.
template <typename Element>
constexpr int kStepsOfBlock = kBlock / kDepthOf<Element>;

/// Lines of blocks that follow each other are pairs: the cluster's two, or the two halves of a tile.
__host__ __device__ constexpr int64_t num_pairs(int64_t lines) { return (lines + 1) / 2; }
/// Pairs whose tiles run together.
constexpr int kBand = 8;

/// The lines of blocks of op(values) and what is in them. What the index says may be wrong: it is read long before
/// it is used, as one thread finds what all wait for, and made sense of then. No read is conditional: the thread would
/// wait for what it gives at once. There is at least one block.
template <bool transpose>
class Lines {
 public:
  explicit Lines(const MegaBlocksSparseIndex& index)
      : offsets_(transpose ? index.offsets_t : index.offsets),
        inner_(transpose ? index.column_indices_t : index.column_indices),
        blocks_(transpose ? index.block_offsets_t : nullptr),
        num_blocks_(static_cast<int>(index.num_blocks)),
        count_(static_cast<int>((transpose ? index.columns : index.rows) / kBlock)),
        num_inner_(static_cast<int>((transpose ? index.rows : index.columns) / kBlock)) {}

  __host__ __device__ int count() const { return count_; }
  __device__ int num_blocks() const { return num_blocks_; }

  /// The entries of a line; lines that do not exist hold nothing.
  __device__ int begin(int line) const { return bound(read_begin(line)); }
  __device__ int end(int line) const { return begin(line + 1); }
  /// The first entry of a line, as read.
  __device__ int read_begin(int line) const { return offsets_[min(line, count_)]; }
  __device__ int bound(int entry) const { return min(max(entry, 0), num_blocks_); }

  /// Which block lies at an entry, and which inner one it meets, as read; of no meaning at the end of the line.
  __device__ int read_block(int entry) const { return transpose ? blocks_[min(entry, num_blocks_ - 1)] : entry; }
  __device__ int read_inner(int entry) const { return inner_[min(entry, num_blocks_ - 1)]; }
  /// Where there is none, one beyond the last: all is zero there.
  __device__ int block(int read, bool exists = true) const {
    return exists && read >= 0 && read < num_blocks_ ? read : num_blocks_;
  }
  __device__ int inner(int read, bool exists = true) const { return exists && has_inner(read) ? read : num_inner_; }
  __device__ bool has_inner(int read) const { return read >= 0 && read < num_inner_; }

 private:
  const int32_t *offsets_, *inner_, *blocks_;
  int num_blocks_, count_, num_inner_;
};

/// Stores a vector whole: the compiler makes four of some.
__device__ inline void store_vector(float* to, float4 v) { __stwb(reinterpret_cast<float4*>(to), v); }

// The blocks of a cluster have two lines of blocks that follow each other. Where their blocks lie in the same
// columns, which is so for most of those that belong to one expert, they share the right operand.

/// A tile of sdd: two blocks that follow each other in a line of blocks, wherever they lie in it.
struct alignas(16) SddTile {
  /// The line, the columns of the tile that exist, and whether the blocks of the cluster need the same of b.
  int32_t line, columns, shared;
  /// The first entry; which blocks they are, -1 for none that is used, and which inner ones they meet.
  int32_t entry, block[2], inner[2];
};
/// All tiles, two after the other for a cluster.
struct SddTiles {
  SddTile* tiles;
  /// Where those of the first bands of lines end, and all.
  int32_t* ends;
  /// Of clusters, no more than fit.
  int capacity;
};

/// Which of the tiles a launch has.
enum Part { kAll, kFirst, kOthers };

/// op(a) op(b) at the index. Swapped, a is op(b) of the caller, transposed, and lines are columns of blocks.
template <typename Element_, bool transpose_a, bool transpose_b, bool swapped = false, typename AElement_ = Element_>
struct SddFamily {
  using Element = Element_;
  using AElement = AElement_;
  static constexpr int kDepth = kDepthOf<Element>;
  static constexpr bool kTransposed = swapped;
  static constexpr bool kAMnMajor = transpose_a, kBMnMajor = !transpose_b;
  static constexpr Share kShare = kShareB;
  SddTiles list;
  /// Where the entries of all rows of blocks end.
  const int32_t* used;
  int num_blocks, k;
  float* values;
  Part part = kAll;

  SddFamily(const SddTiles& list_, const MegaBlocksSparseIndex& index, int64_t k_, float* values_)
      : list(list_), used(index.offsets + index.rows / kBlock), num_blocks(static_cast<int>(index.num_blocks)),
        k(static_cast<int>(k_)), values(values_) {}

  class Schedule {
   public:
    __device__ Schedule(const SddFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), num_clusters_(num_clusters), rank_(rank), end_(f.list.ends[f.part != kFirst]),
          index_((f.part == kOthers ? f.list.ends[0] : 0) + cluster) {
      look_up();
    }
    __device__ bool next(Work& work) {
      if (index_ >= end_) return false;
      work.shared = tile_.shared != 0;
      work.found = {{tile_.block[0], tile_.block[1]}, {tile_.inner[0], tile_.inner[1]}};
      work.steps = ceil_divide(f_.k, kDepth);
      work.head = 0;
      work.tail = kDepth;
      work.rows = kTileRows;
      work.columns = tile_.columns;
      work.row = int64_t{tile_.line} * kBlock;
      work.column = 0;
      work.begin = tile_.entry;
      index_ += num_clusters_;
      look_up();
      return true;
    }

   private:
    /// The next tile, so that it is there when it is asked for.
    __device__ void look_up() {
      if (index_ < end_) tile_ = f_.list.tiles[index_ * kCluster + rank_];
    }

    const SddFamily& f_;
    const int num_clusters_, rank_, end_;
    int index_;
    SddTile tile_;
  };

  __device__ Places places(const Work& w, int step) const {
    const int64_t depth = int64_t{step} * kDepth;
    const auto column = [&](int half) { return int64_t{w.found.inner[half]} * kBlock; };
    return {{depth, w.row, 0}, {{depth, column(0), 0}, {depth, column(1), 0}}, w.shared};
  }
  struct Line : LoadsNothing {
    float* to;
    __device__ void store(int, int column, float4 v, bool valid) {
      // The second block follows the first.
      if (valid) store_vector(to + column + (column < kBlock ? 0 : kBlock * kBlock - kBlock), v);
    }
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(const Work& w, int row, bool) const {
    return {{}, values + (w.begin * kBlock + row) * kBlock};
  }
  Matrix<float> result() const { return {values, kBlock, int64_t{num_blocks} * kBlock, 1, kBlock}; }
  /// Beyond the last block, where nothing is stored, if the tile has none that is used.
  __device__ Place place(const Work& w, int row, int column) const {
    const int64_t block = column < kBlock ? w.found.block[0] : w.found.block[1];
    return {row, (block >= 0 ? block : num_blocks) * kBlock + column % kBlock, 0};
  }
  __device__ void store(const Work& w, int column, int row, float4 v) const {
    const int64_t block = column < kBlock ? w.found.block[0] : w.found.block[1];
    if (block >= 0) store_vector(values + (block * kBlock + column % kBlock) * kBlock + row, v);
  }
  /// Blocks that are in no line are not used.
  __device__ void finish(const Schedule&, int thread, int num_threads) const {
    if (part == kFirst) return;
    const int64_t begin = min(max(*used, 0), num_blocks);
    const int64_t size = (num_blocks - begin) * (kBlock * kBlock / 4);
    float4* to = reinterpret_cast<float4*>(values + begin * kBlock * kBlock);
    for (int64_t i = blockIdx.x * int64_t{num_threads} + thread; i < size; i += gridDim.x * int64_t{num_threads}) {
      to[i] = {};
    }
  }
};

/// The tiles of a product whose lines are summed, in bands of pairs of lines, in each over the columns of all lines:
/// blocks that run together share few columns.
struct Bands {
  /// Pairs before, that are left out, and where those that are not end.
  int first, end, across;
  __device__ int count() const { return (end - first) * across; }
  __device__ void find(int index, int& pair, int& column) const {
    const int band = index / (kBand * across) * kBand, in_band = index - band * across;
    const int size = min(kBand, end - first - band);
    pair = first + band + in_band % size;
    column = in_band / size;
  }
};

/// op(values) op(b): a line of blocks after the other, summed over the blocks in it.
template <
    typename Element_, bool transpose_a, bool transpose_b, bool transposed_out, typename AElement_ = Element_>
struct DsdFamily {
  using Element = Element_;
  using AElement = AElement_;
  static constexpr int kDepth = kDepthOf<Element>, kSteps = kStepsOfBlock<Element>;
  static constexpr bool kTransposed = false;
  static constexpr bool kAMnMajor = transpose_a, kBMnMajor = !transpose_b;
  static constexpr Share kShare = kShareB;
  Lines<transpose_a> lines;
  int n;
  float* out;
  /// A launch may be of these pairs of lines alone.
  int first_pair = 0, end_pair;

  DsdFamily(const MegaBlocksSparseIndex& index, int64_t n_, float* out_)
      : lines(index), n(static_cast<int>(n_)), out(out_),
        end_pair(static_cast<int>(num_pairs(lines.count()))) {}

  class Schedule {
   public:
    __device__ Schedule(const DsdFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), bands_{f.first_pair, f.end_pair, ceil_divide(f.n, kTileColumns)},
          num_clusters_(num_clusters), rank_(rank), index_(cluster) {
      look_up();
    }
    __device__ bool next(Work& work) {
      if (index_ >= bands_.count()) return false;
      const auto& lines = f_.lines;
      int bounds[kCluster + 1];
#pragma unroll
      for (int i = 0; i <= kCluster; i++) bounds[i] = lines.bound(read_[i]);
      work.begin = rank_ == 0 ? bounds[0] : bounds[1];
      work.end = rank_ == 0 ? bounds[1] : bounds[2];
      work.other_begin = rank_ == 0 ? bounds[1] : bounds[0];
      work.other_end = rank_ == 0 ? bounds[2] : bounds[1];
      work.ahead = f_.read(work, 0);
      work.steps = max(max(bounds[1] - bounds[0], bounds[2] - bounds[1]), 0) * kSteps;
      work.head = 0;
      work.tail = kDepth;
      const int line = pair_ * kCluster + rank_;
      work.rows = line < lines.count() ? kTileRows : 0;
      work.row = int64_t{line} * kBlock;
      work.column = column_ * kTileColumns;
      work.columns = min(f_.n - work.column, kTileColumns);
      index_ += num_clusters_;
      look_up();
      return true;
    }

   private:
    /// The next tile, and what it needs of the index, so that it is there when the tile is asked for.
    __device__ void look_up() {
      if (index_ >= bands_.count()) return;
      bands_.find(index_, pair_, column_);
#pragma unroll
      for (int i = 0; i <= kCluster; i++) read_[i] = f_.lines.read_begin(pair_ * kCluster + i);
    }

    const DsdFamily& f_;
    const Bands bands_;
    const int num_clusters_, rank_;
    int index_, pair_, column_, read_[kCluster + 1];
  };

  /// What a block of a line needs of the index: the block, and the inner one that it and the other line's meet.
  __device__ Work::Found read(const Work& w, int i) const {
    const int entry = static_cast<int>(w.begin) + i;
    return {{lines.read_block(entry), -1}, {lines.read_inner(entry), lines.read_inner(w.other_begin + i)}};
  }
  /// Is called for one step after the other.
  __device__ Places places(Work& w, int step) const {
    if (step % kSteps == 0) {
      const int i = step / kSteps;
      const bool exists = w.begin + i < w.end, other_exists = w.other_begin + i < w.other_end;
      w.found = {{lines.block(w.ahead.block[0], exists), -1},
                 {lines.inner(w.ahead.inner[0], exists), lines.inner(w.ahead.inner[1], other_exists)}};
      w.ahead = read(w, i + 1);
    }
    const int64_t depth = step % kSteps * kDepth, row = int64_t{w.found.inner[0]} * kBlock + depth;
    return {{depth, 0, w.found.block[0]},
            {{row, w.column, 0}, {row, w.column + kHalfColumns, 0}},
            w.found.inner[0] == w.found.inner[1]};
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
        store_vector(to + column, v);
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

/// values op(b) in TF32, transposed, of a b that is not K-major: the left operand is op(b)', and the columns of a tile
/// are two lines that follow each other, where their blocks lie in the same columns; else one.
template <bool transposed_out>
struct SwappedDsdFamily {
  using Element = float;
  using AElement = Element;
  static constexpr int kDepth = kDepthOf<Element>, kSteps = kStepsOfBlock<Element>;
  static constexpr bool kTransposed = !transposed_out;
  static constexpr bool kAMnMajor = true, kBMnMajor = false;
  static constexpr Share kShare = kShareB;
  Lines<false> lines;
  /// Whether the blocks of a pair of lines lie in the same columns.
  const int32_t* alike;
  int n;
  float* out;

  SwappedDsdFamily(const MegaBlocksSparseIndex& index, const int32_t* alike_, int64_t n_, float* out_)
      : lines(index), alike(alike_), n(static_cast<int>(n_)), out(out_) {}

  class Schedule {
   public:
    __device__ Schedule(const SwappedDsdFamily& f, int cluster, int num_clusters, int rank)
        : f_(f), bands_{0, static_cast<int>(num_pairs(f.lines.count())), ceil_divide(f.n, kCluster * kTileRows)},
          num_clusters_(num_clusters), rank_(rank), index_(cluster) {
      look_up();
    }
    __device__ bool next(Work& work) {
      if (index_ >= bands_.count()) return false;
      const auto& lines = f_.lines;
      const bool both = alike_ != 0, first = both || !second_;
      const int line = pair_ * 2 + !first;
      work.group = line;
      work.begin = lines.bound(first ? read_[0] : read_[1]);
      work.end = lines.bound(first ? read_[1] : read_[2]);
      work.other_begin = lines.bound(read_[1]);
      work.columns = both ? kTileColumns : kHalfColumns;
      work.ahead = f_.read(work, 0);
      work.steps = max(work.end - static_cast<int>(work.begin), 0) * kSteps;
      work.head = 0;
      work.tail = kDepth;
      work.row = int64_t{column_ * kCluster + rank_} * kTileRows;
      work.rows = min(f_.n - static_cast<int>(work.row), kTileRows);
      work.column = 0;
      second_ = first && !both && line + 1 < lines.count();
      if (!second_) {
        index_ += num_clusters_;
        look_up();
      }
      return true;
    }

   private:
    /// The next tile, and what it needs of the index, so that it is there when the tile is asked for.
    __device__ void look_up() {
      if (index_ >= bands_.count()) return;
      bands_.find(index_, pair_, column_);
      alike_ = f_.alike[pair_];
#pragma unroll
      for (int i = 0; i < 3; i++) read_[i] = f_.lines.read_begin(pair_ * 2 + i);
    }

    const SwappedDsdFamily& f_;
    const Bands bands_;
    const int num_clusters_, rank_;
    int index_, pair_, column_, read_[3], alike_;
    /// Whether the second line of a pair, apart from the first, is what is left of it.
    bool second_ = false;
  };

  __device__ Work::Found read(const Work& w, int i) const {
    const int entry = static_cast<int>(w.begin) + i;
    return {{lines.read_block(entry), w.other_begin + i}, {lines.read_inner(entry), -1}};
  }
  /// Is called for one step after the other.
  __device__ Places places(Work& w, int step) const {
    if (step % kSteps == 0) {
      w.found = {{lines.block(w.ahead.block[0]), lines.block(w.ahead.block[1])}, {lines.inner(w.ahead.inner[0]), -1}};
      w.ahead = read(w, step / kSteps + 1);
    }
    const int64_t depth = step % kSteps * kDepth;
    return {{int64_t{w.found.inner[0]} * kBlock + depth, w.row, 0},
            {{depth, 0, w.found.block[0]}, {depth, 0, w.found.block[1]}}};
  }
  struct Line : LoadsNothing {
    float* to;
    __device__ void store(int, int column, float4 v, bool valid) {
      if (valid) store_vector(to + column, v);
    }
    __device__ void finish(const Work&, int, bool) {}
  };
  __device__ Line line(const Work& w, int row, bool) const {
    return {{}, out + ((w.row + row) * lines.count() + w.group) * kBlock};
  }
  Matrix<float> result() const { return {out, n, int64_t{lines.count()} * kBlock, 1, n}; }
  __device__ Place place(const Work& w, int row, int column) const {
    return {w.row + row, w.group * kBlock + column, 0};
  }
  __device__ void store(const Work& w, int column, int row, float4 v) const {
    store_vector(out + (w.group * kBlock + column) * n + w.row + row, v);
  }
  __device__ void finish(const Schedule&, int, int) const {}
};

}  // namespace hopper
}  // namespace megablocks
