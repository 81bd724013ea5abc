#include "hopper_sparse.cuh"

#include "hopper_grouped.cuh"
#include "hopper_sparse_families.cuh"

namespace megablocks {
namespace {

using namespace hopper;

/// A dense operand, [height, width] in memory; in bfloat16 it is converted.
OperandSource dense_source(int precision, const float* from, int64_t height, int64_t width, Parts& parts) {
  OperandSource x;
  x.from = from;
  x.height = height;
  x.width = width;
  if (precision == kMegaBlocksBfloat16) x.half = parts.take<__nv_bfloat16>(height * width);
  return x;
}

/// Whether the transpose of a product is computed.
constexpr bool is_swapped(bool tf32, bool transpose_a, bool transpose_b) {
  return tf32 && !transpose_a && !transpose_b;
}

struct SddOperands {
  OperandSource a, b;
  SddTiles list;
};

SddOperands sdd_operands(
    int precision, const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, Parts& parts) {
  const auto source = [&](const float* from, int64_t height, int64_t width, bool transpose) {
    return dense_source(precision, from, transpose ? width : height, transpose ? height : width, parts);
  };
  const OperandSource left = source(a, index.rows, k, transpose_a), right = source(b, k, index.columns, transpose_b);
  // A pair of lines has at most half as many tiles as blocks, and half a tile more.
  const bool swapped = is_swapped(precision == kMegaBlocksTf32, transpose_a, transpose_b);
  const int64_t lines = (swapped ? index.columns : index.rows) / kBlock;
  const int capacity = static_cast<int>((index.num_blocks + num_pairs(lines) + 1) / 2);
  return {left, right, {parts.take<SddTile>(int64_t{capacity} * kCluster), parts.take<int32_t>(1), capacity}};
}

struct DsdOperands {
  OperandSource a, b;
  /// What SwappedDsdFamily needs of the index.
  int32_t* alike = nullptr;
};

DsdOperands dsd_operands(
    int precision, const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n,
    bool transpose_a, bool transpose_b, Parts& parts) {
  OperandSource left = dense_source(precision, values, index.num_blocks * kBlock, kBlock, parts);
  left.height = kBlock;
  left.depth = index.num_blocks;
  const int64_t inner = transpose_a ? index.rows : index.columns;
  DsdOperands x{left, dense_source(precision, b, transpose_b ? n : inner, transpose_b ? inner : n, parts)};
  if (is_swapped(precision == kMegaBlocksTf32, transpose_a, transpose_b)) {
    x.alike = parts.take<int32_t>(num_pairs(index.rows / kBlock));
  }
  return x;
}

template <typename Family>
cudaError_t launch_sources(const OperandSource& a, const OperandSource& b, const Family& family, cudaStream_t stream) {
  if constexpr (std::is_same<typename Family::Element, float>::value) {
    const auto as_it_lies = [](const OperandSource& x) {
      return Matrix<float>{x.from, x.width, x.height, x.depth, x.width};
    };
    return launch(as_it_lies(a), as_it_lies(b), family, stream);
  } else {
    return launch(a, b, family, stream);
  }
}

/// The tiles of a band of pairs of lines: the first ones of all lines, then the second ones: blocks that run together
/// share few rows of a and few columns of b.
class BandTiles {
 public:
  __device__ BandTiles(const Lines& lines, int first_pair) {
#pragma unroll
    for (int i = 0; i < kBand; i++) {
      tiles_[i] = count_of(lines, first_pair + i);
      least_ = i == 0 ? tiles_[i] : min(least_, tiles_[i]);
    }
  }
  /// The tiles of a pair of lines.
  __device__ static int count_of(const Lines& lines, int pair) {
    int most = 0;
    for (int i = 0; i < kCluster; i++) {
      const int line = pair * kCluster + i;
      most = max(most, lines.end(line) - lines.begin(line));
    }
    return ceil_divide(most, 2);
  }
  __device__ int count() const { return before(INT32_MAX); }
  /// The position in its lines and the pair of a tile.
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
      (before(middle) <= tile ? position : end) = middle;
    }
    int rest = tile - before(position);
#pragma unroll
    for (int i = 0; i < kBand; i++) {
      if (tiles_[i] > position && rest-- == 0) pair = i;
    }
  }

 private:
  /// Tiles that come before a position in their lines.
  __device__ int before(int position) const {
    int sum = 0;
#pragma unroll
    for (int i = 0; i < kBand; i++) sum += min(tiles_[i], position);
    return sum;
  }
  int tiles_[kBand], least_ = 0;
};

/// Blocks from `used` on are not used.
__device__ SddTile tile_at(const Lines& lines, int line, int position, int used) {
  const int begin = lines.begin(line) + position * 2, end = lines.end(line);
  SddTile tile{line, max(min(end - begin, 2), 0) * kBlock, 0, begin};
  for (int half = 0; half < 2; half++) {
    const int block = lines.read_block(begin + half, end);
    tile.block[half] = block < used ? block : -1;
    tile.inner[half] = lines.inner(lines.read_inner(begin + half, end));
  }
  return tile;
}

constexpr int kListThreads = 256;

/// Lists the tiles of sdd. One block a band.
__global__ void __launch_bounds__(kListThreads) list_tiles_kernel(
    const Lines lines, const int32_t* used, const SddTiles list) {
  // An index that is wrong may have any number of them.
  __shared__ unsigned long long tiles_before;
  if (threadIdx.x == 0) tiles_before = 0;
  __syncthreads();
  const int first_pair = blockIdx.x * kBand;
  unsigned long long mine = 0;
  for (int pair = threadIdx.x; pair < first_pair; pair += kListThreads) mine += BandTiles::count_of(lines, pair);
  atomicAdd(&tiles_before, mine);
  __syncthreads();
  const BandTiles band(lines, first_pair);
  const int begin = static_cast<int>(min(tiles_before, static_cast<unsigned long long>(list.capacity)));
  const int end = begin + min(band.count(), list.capacity - begin);
  const int num_used = lines.bound(*used);
  for (int i = begin + threadIdx.x; i < end; i += kListThreads) {
    int position, pair;
    band.find(i - begin, position, pair);
    SddTile tiles[kCluster];
    for (int rank = 0; rank < kCluster; rank++) {
      tiles[rank] = tile_at(lines, (first_pair + pair) * kCluster + rank, position, num_used);
    }
    const SddTile &a = tiles[0], &b = tiles[1];
    const bool shared =
        (a.columns > kBlock) == (b.columns > kBlock) && a.inner[0] == b.inner[0] && a.inner[1] == b.inner[1];
    for (int rank = 0; rank < kCluster; rank++) {
      tiles[rank].shared = shared;
      list.tiles[i * kCluster + rank] = tiles[rank];
    }
  }
  if (blockIdx.x == gridDim.x - 1 && threadIdx.x == 0) *list.count = end;
}

template <typename Element, bool transpose_a, bool transpose_b>
cudaError_t launch_sdd(
    const SddOperands& x, const MegaBlocksSparseIndex& index, int64_t k, float* values, cudaStream_t stream) {
  constexpr bool kSwapped = is_swapped(std::is_same<Element, float>::value, transpose_a, transpose_b);
  const Lines lines(index, kSwapped);
  const int bands = ceil_divide(static_cast<int>(num_pairs(lines.count())), kBand);
  list_tiles_kernel<<<bands > 0 ? bands : 1, kListThreads, 0, stream>>>(
      lines, index.offsets + index.rows / kBlock, x.list);
  if (cudaError_t e = cudaGetLastError()) return e;
  if constexpr (kSwapped) {
    return launch_sources(x.b, x.a, SddFamily<Element, true, true, true>(x.list, index, k, values), stream);
  } else {
    return launch_sources(x.a, x.b, SddFamily<Element, transpose_a, transpose_b>(x.list, index, k, values), stream);
  }
}

/// alike[i]: whether the blocks of lines 2 i and 2 i + 1 lie in the same columns. One warp a pair.
__global__ void compare_lines_kernel(const Lines lines, int32_t* alike) {
  const int lane = threadIdx.x % kWarp, warps = static_cast<int>(num_threads() / kWarp);
  for (int pair = static_cast<int>(thread_index() / kWarp); pair * 2 < lines.count(); pair += warps) {
    const int begin = lines.begin(pair * 2), middle = lines.end(pair * 2), end = lines.end(pair * 2 + 1);
    bool same = pair * 2 + 1 < lines.count() && middle - begin == end - middle;
    for (int i = lane; same && i < middle - begin; i += kWarp) {
      same = lines.read_inner(begin + i, middle) == lines.read_inner(middle + i, end);
    }
    same = __all_sync(~0u, same);
    if (lane == 0) alike[pair] = same;
  }
}

template <typename Element, bool transpose_a, bool transpose_b, bool transposed_out>
cudaError_t launch_dsd(
    const DsdOperands& x, const MegaBlocksSparseIndex& index, int64_t n, float* out, cudaStream_t stream) {
  if constexpr (is_swapped(std::is_same<Element, float>::value, transpose_a, transpose_b)) {
    constexpr int kThreads = 128;
    compare_lines_kernel<<<grid_for(num_pairs(index.rows / kBlock), kThreads / kWarp), kThreads, 0, stream>>>(
        Lines(index, false), x.alike);
    if (cudaError_t e = cudaGetLastError()) return e;
    return launch_sources(x.b, x.a, SwappedDsdFamily<transposed_out>(index, x.alike, n, out), stream);
  } else {
    return launch_sources(x.a, x.b, DsdFamily<Element, transpose_a, transpose_b, transposed_out>(index, n, out), stream);
  }
}

/// The precision to multiply in by wgmma; kMegaBlocksFloat32 where it does not. `other` is the size that the index
/// does not give; an operand has so many elements.
int hopper_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t other, bool transpose_a, bool transpose_b,
    double a_size, double b_size) {
  if (index.block_size != kBlock || index.num_blocks <= 0 || index.num_blocks >= INT32_MAX / kBlock ||
      index.rows >= INT32_MAX / 2 || index.columns >= INT32_MAX / 2) {
    return kMegaBlocksFloat32;
  }
  const double products = double(index.num_blocks) * kBlock * kBlock * other;
  // Of TF32, one operand must be K-major.
  const bool has_tf32 = !(transpose_a && !transpose_b);
  return faster_precision(precision, hopper_supports(other, kBlock), has_tf32 && hopper_supports(other, kBlock, 4),
                          products, a_size + b_size);
}

}  // namespace

int hopper_sdd_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b) {
  return hopper_precision(precision, index, k, transpose_a, transpose_b, double(index.rows) * k,
                          double(index.columns) * k);
}

int hopper_dsd_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b) {
  return hopper_precision(precision, index, n, transpose_a, transpose_b, double(index.num_blocks) * kBlock * kBlock,
                          double(transpose_a ? index.rows : index.columns) * n);
}

size_t hopper_sdd_workspace(
    int precision, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b) {
  Parts parts;
  sdd_operands(precision, nullptr, nullptr, index, k, transpose_a, transpose_b, parts);
  return parts.size();
}

size_t hopper_dsd_workspace(
    int precision, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b) {
  Parts parts;
  dsd_operands(precision, nullptr, nullptr, index, n, transpose_a, transpose_b, parts);
  return parts.size();
}

cudaError_t hopper_sdd(
    int precision, const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, float* values, void* workspace, cudaStream_t stream) {
  Parts parts(workspace);
  const SddOperands x = sdd_operands(precision, a, b, index, k, transpose_a, transpose_b, parts);
  const auto call = precision == kMegaBlocksTf32 ? transpose_a   ? launch_sdd<float, true, true>
                                                   : transpose_b ? launch_sdd<float, false, true>
                                                                 : launch_sdd<float, false, false>
                    : transpose_a ? transpose_b ? launch_sdd<__nv_bfloat16, true, true>
                                                : launch_sdd<__nv_bfloat16, true, false>
                    : transpose_b ? launch_sdd<__nv_bfloat16, false, true>
                                  : launch_sdd<__nv_bfloat16, false, false>;
  return call(x, index, k, values, stream);
}

cudaError_t hopper_dsd(
    int precision, const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n,
    bool transpose_a, bool transpose_b, bool transposed_out, float* out, void* workspace, cudaStream_t stream) {
  Parts parts(workspace);
  const DsdOperands x = dsd_operands(precision, values, b, index, n, transpose_a, transpose_b, parts);
  const auto choose = [&](auto transposed) {
    constexpr bool t = decltype(transposed)::value;
    return precision == kMegaBlocksTf32 ? transpose_a   ? launch_dsd<float, true, true, t>
                                          : transpose_b ? launch_dsd<float, false, true, t>
                                                        : launch_dsd<float, false, false, t>
           : transpose_a ? transpose_b ? launch_dsd<__nv_bfloat16, true, true, t>
                                       : launch_dsd<__nv_bfloat16, true, false, t>
           : transpose_b ? launch_dsd<__nv_bfloat16, false, true, t>
                         : launch_dsd<__nv_bfloat16, false, false, t>;
  };
  const auto call = transposed_out ? choose(std::true_type()) : choose(std::false_type());
  return call(x, index, n, out, stream);
}

}  // namespace megablocks
