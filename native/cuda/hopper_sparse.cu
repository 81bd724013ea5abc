#include "hopper_sparse.cuh"

#include "hopper_grouped.cuh"
#include "hopper_sparse_families.cuh"

namespace megablocks {
namespace {

using namespace hopper;

/// A dense operand, [height, width] in memory.
OperandSource dense_source(const float* from, int64_t height, int64_t width) {
  OperandSource x;
  x.from = from;
  x.height = height;
  x.width = width;
  return x;
}
OperandSource dense_source(const float* from, int64_t height, int64_t width, bool transpose) {
  return transpose ? dense_source(from, width, height) : dense_source(from, height, width);
}

/// What multiplies: TF32, of operands as they lie in memory, or bfloat16, of operands that are both converted before,
/// or of which the left or the right one is rounded on the way to its multiplications.
enum Form { kTf32, kConverted, kRoundedA, kRoundedB };

Form form_of(int precision, const Rounding& rounding) {
  return precision == kMegaBlocksTf32 ? kTf32
         : !rounding.on_the_way       ? kConverted
         : rounding.b_larger          ? kRoundedB
                                      : kRoundedA;
}

template <Form form>
using ElementOf = std::conditional_t<form == kTf32, float, __nv_bfloat16>;

/// Whether the transpose of a product is computed: its left operand is the one that goes through registers.
constexpr bool is_swapped(Form form, bool transpose_a, bool transpose_b) {
  return form == kRoundedB || (form == kTf32 && !transpose_a && !transpose_b);
}

/// The pairs of lines whose product is made first, in whole bands, of operands that are converted: what the others need
/// of b is converted beside it, if that is worth another launch.
int num_first_pairs(int pairs, const OperandSource& a, const OperandSource& b) {
  if (b.size() < int64_t{1} << 24) return pairs;
  // The more there is to convert, the slower the product beside it.
  const int parts = b.size() > a.size() ? 2 : 4;
  return min(ceil_divide(pairs, parts * kBand) * kBand, pairs);
}

double num_products(const MegaBlocksSparseIndex& index, int64_t other) {
  return double(index.num_blocks) * kBlock * kBlock * other;
}

struct SddOperands {
  OperandSource a, b;
  Form form;
  SddTiles list;
  /// Of b's columns of blocks, how many the first lines need.
  int32_t* lead;
};

SddOperands sdd_operands(
    int precision, const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, Parts& parts) {
  SddOperands x{dense_source(a, index.rows, k, transpose_a), dense_source(b, k, index.columns, transpose_b)};
  const Rounding rounding(x.a.size(), x.b.size(), num_products(index, k), kTimesRounded);
  x.form = form_of(precision, rounding);
  if (x.form != kTf32) take_halves(rounding, x.a, x.b, parts);
  // A pair of lines has at most half as many tiles as blocks, and half a tile more.
  const bool swapped = is_swapped(x.form, transpose_a, transpose_b);
  const int64_t lines = (swapped ? index.columns : index.rows) / kBlock;
  const int capacity = static_cast<int>((index.num_blocks + num_pairs(lines) + 1) / 2);
  x.list = {parts.take<SddTile>(int64_t{capacity} * kCluster), parts.take<int32_t>(2), capacity};
  x.lead = parts.take<int32_t>(1);
  return x;
}

struct DsdOperands {
  OperandSource a, b;
  Form form;
  /// What SwappedDsdFamily needs of the index.
  int32_t* alike = nullptr;
  /// Of b's inner blocks, how many the first lines need.
  int32_t* lead;
};

DsdOperands dsd_operands(
    int precision, const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n,
    bool transpose_a, bool transpose_b, Parts& parts) {
  DsdOperands x{dense_source(values, kBlock, kBlock),
                dense_source(b, transpose_a ? index.rows : index.columns, n, transpose_b)};
  x.a.depth = index.num_blocks;
  Rounding rounding(x.a.size(), x.b.size(), num_products(index, n),
                    transpose_a ? kTimesRoundedForMatrices : kTimesRounded);
  // Only the values are rounded on the way.
  if (rounding.b_larger) rounding.on_the_way = false;
  x.form = form_of(precision, rounding);
  if (x.form != kTf32) take_halves(rounding, x.a, x.b, parts);
  if (is_swapped(x.form, transpose_a, transpose_b)) x.alike = parts.take<int32_t>(num_pairs(index.rows / kBlock));
  x.lead = parts.take<int32_t>(1);
  return x;
}

/// The launch of a product whose left operand is float32 in memory; the right one too in TF32, else it is converted.
template <typename Family>
cudaError_t launch_unconverted(
    const OperandSource& left, const OperandSource& right, const Family& family, cudaStream_t stream) {
  if constexpr (std::is_same<typename Family::Element, float>::value) {
    return launch(as_it_lies(left), as_it_lies(right), family, stream);
  } else {
    return launch(as_it_lies(left), converted(right), family, stream);
  }
}

/// The lead of b that has so many times 128 of its rows, or columns.
Lead lead_of_blocks(const OperandSource& b, bool of_rows, const int32_t* count) {
  return of_rows ? Lead{1, b.size() / 4, kBlock * b.width / 4, count} : Lead{b.height, b.width / 4, kBlock / 4, count};
}

/// One more than the last inner block that the first lines, so many, meet, whatever the index says. One block.
template <bool transpose>
__device__ void find_lead(const Lines<transpose>& lines, int count, int32_t* lead) {
  __shared__ int first, end, most;
  if (threadIdx.x == 0) {
    first = lines.begin(0);
    end = most = 0;
  }
  __syncthreads();
  for (int line = static_cast<int>(threadIdx.x); line <= count; line += blockDim.x) {
    atomicMin(&first, lines.begin(line));
    atomicMax(&end, lines.begin(line));
  }
  __syncthreads();
  int mine = 0;
  for (int i = first + static_cast<int>(threadIdx.x); i < end; i += blockDim.x) {
    const int inner = lines.read_inner(i);
    if (lines.has_inner(inner)) mine = max(mine, inner + 1);
  }
  atomicMax(&most, mine);
  __syncthreads();
  if (threadIdx.x == 0) *lead = most;
}
constexpr int kFindThreads = 1024;
template <bool transpose>
__global__ void __launch_bounds__(kFindThreads) find_lead_kernel(
    const Lines<transpose> lines, int count, int32_t* lead) {
  find_lead(lines, count, lead);
}

/// The tiles of a band of pairs of lines: the first few of one pair after the other, then the next ones. Blocks that
/// run together share few rows of a and few columns of b, and neighbours the same rows.
class BandTiles {
 public:
  template <bool transpose>
  __device__ BandTiles(const Lines<transpose>& lines, int first_pair) {
#pragma unroll
    for (int i = 0; i < kBand; i++) {
      tiles_[i] = count_of(lines, first_pair + i);
      least_ = i == 0 ? tiles_[i] : min(least_, tiles_[i]);
    }
  }
  /// The tiles of a pair of lines.
  template <bool transpose>
  __device__ static int count_of(const Lines<transpose>& lines, int pair) {
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
    if (tile < least_ / kTogether * kTogether * kBand) {
      const int group = tile / (kTogether * kBand), in_group = tile % (kTogether * kBand);
      position = group * kTogether + in_group % kTogether;
      pair = in_group / kTogether;
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
  static constexpr int kTogether = 2;
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
template <bool transpose>
__device__ SddTile tile_at(const Lines<transpose>& lines, int line, int position, int used) {
  const int begin = lines.begin(line) + position * 2, end = lines.end(line);
  SddTile tile{line, max(min(end - begin, 2), 0) * kBlock, 0, begin};
  for (int half = 0; half < 2; half++) {
    const bool exists = begin + half < end;
    const int block = lines.read_block(begin + half);
    tile.block[half] = exists && block < used ? block : -1;
    tile.inner[half] = lines.inner(lines.read_inner(begin + half), exists);
  }
  return tile;
}

/// Lists the tiles of a band. One block.
template <bool transpose>
__device__ void list_tiles(
    const Lines<transpose>& lines, const int32_t* used, int band_index, int first_pairs, const SddTiles& list) {
  __shared__ unsigned tiles_before;
  if (threadIdx.x == 0) tiles_before = 0;
  __syncthreads();
  const int first_pair = band_index * kBand;
  int64_t mine = 0;
  for (int pair = threadIdx.x; pair < first_pair; pair += kConvertThreads) mine += BandTiles::count_of(lines, pair);
  // An index that is wrong may have any number of them; those of all threads must not overflow.
  atomicAdd(&tiles_before, static_cast<unsigned>(min(mine, int64_t{list.capacity})));
  __syncthreads();
  const BandTiles band(lines, first_pair);
  const int begin = static_cast<int>(min(tiles_before, static_cast<unsigned>(list.capacity)));
  const int end = begin + min(band.count(), list.capacity - begin);
  const int num_used = lines.bound(*used);
  for (int i = begin + threadIdx.x; i < end; i += kConvertThreads) {
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
  if (threadIdx.x > 0) return;
  if (first_pair + kBand == first_pairs) list.ends[0] = end;
  if (first_pair + kBand >= num_pairs(lines.count())) list.ends[1] = end;
}

/// What a product of sdd needs: the list of its tiles, by a block a band, of which so many pairs are the first; what
/// these need of b, by one block, if `lead`; and in bfloat16 what does not depend on it, by the other blocks.
template <bool transpose>
__global__ void __launch_bounds__(kConvertThreads) prepare_sdd_kernel(
    const Lines<transpose> lines, const int32_t* used, int first_pairs, const SddTiles list, int bands, int32_t* lead,
    const Conversion a, const Conversion b) {
  int block = blockIdx.x;
  if (block < bands) return list_tiles(lines, used, block, first_pairs, list);
  block -= bands;
  if (lead != nullptr && block-- == 0) return find_lead(lines, min(first_pairs * kCluster, lines.count()), lead);
  convert_share(a, b, block, gridDim.x - bands - (lead != nullptr));
}

template <Form form, bool transpose_a, bool transpose_b>
cudaError_t launch_sdd(
    const SddOperands& x, const MegaBlocksSparseIndex& index, int64_t k, float* values, cudaStream_t stream) {
  constexpr bool kSwapped = is_swapped(form, transpose_a, transpose_b);
  const Lines<kSwapped> lines(index);
  const int pairs = static_cast<int>(num_pairs(lines.count()));
  const int first_pairs = form == kConverted ? num_first_pairs(pairs, x.a, x.b) : pairs;
  const int bands = ceil_divide(pairs, kBand);
  const bool in_two = first_pairs < pairs;
  const auto prepare = [&](const OperandSource& a, const OperandSource& b) {
    const Conversion first(a), second(b);
    prepare_sdd_kernel<<<bands + in_two + blocks_to_convert(first, second), kConvertThreads, 0, stream>>>(
        lines, index.offsets + index.rows / kBlock, first_pairs, x.list, bands, in_two ? x.lead : nullptr, first,
        second);
    return cudaGetLastError();
  };
  if constexpr (form == kConverted) {
    SddFamily<__nv_bfloat16, transpose_a, transpose_b> family(x.list, index, k, values), others = family;
    if (!in_two) {
      if (cudaError_t e = prepare(x.a, x.b)) return e;
      return launch(converted(x.a), converted(x.b), family, stream);
    }
    if (cudaError_t e = prepare(x.a, {})) return e;
    family.part = kFirst;
    others.part = kOthers;
    OperandSource a = x.a;
    a.from = nullptr;  // It is converted by then.
    return launch_in_two(a, x.b, lead_of_blocks(x.b, transpose_b, x.lead), family, others, stream);
  } else {
    using Element = ElementOf<form>;
    const OperandSource &left = kSwapped ? x.b : x.a, &right = kSwapped ? x.a : x.b;
    if (cudaError_t e = prepare({}, form == kTf32 ? OperandSource() : right)) return e;
    constexpr bool kLeft = kSwapped ? !transpose_b : transpose_a, kRight = kSwapped ? !transpose_a : transpose_b;
    const SddFamily<Element, kLeft, kRight, kSwapped, float> family(x.list, index, k, values);
    return launch_unconverted(left, right, family, stream);
  }
}

/// alike[i]: whether the blocks of lines 2 i and 2 i + 1 lie in the same columns. One warp a pair.
__global__ void compare_lines_kernel(const Lines<false> lines, int32_t* alike) {
  const int lane = threadIdx.x % kWarp, warps = static_cast<int>(num_threads() / kWarp);
  for (int pair = static_cast<int>(thread_index() / kWarp); pair * 2 < lines.count(); pair += warps) {
    const int begin = lines.begin(pair * 2), middle = lines.end(pair * 2), end = lines.end(pair * 2 + 1);
    bool same = pair * 2 + 1 < lines.count() && middle - begin == end - middle;
    for (int i = lane; same && i < middle - begin; i += kWarp) {
      same = lines.read_inner(begin + i) == lines.read_inner(middle + i);
    }
    same = __all_sync(~0u, same);
    if (lane == 0) alike[pair] = same;
  }
}

template <Form form, bool transpose_a, bool transpose_b, bool transposed_out>
cudaError_t launch_dsd(
    const DsdOperands& x, const MegaBlocksSparseIndex& index, int64_t n, float* out, cudaStream_t stream) {
  if constexpr (is_swapped(form, transpose_a, transpose_b)) {
    constexpr int kThreads = 128;
    compare_lines_kernel<<<grid_for(num_pairs(index.rows / kBlock), kThreads / kWarp), kThreads, 0, stream>>>(
        Lines<false>(index), x.alike);
    if (cudaError_t e = cudaGetLastError()) return e;
    return launch_unconverted(x.b, x.a, SwappedDsdFamily<transposed_out>(index, x.alike, n, out), stream);
  } else if constexpr (form == kConverted) {
    DsdFamily<__nv_bfloat16, transpose_a, transpose_b, transposed_out> first(index, n, out), others = first;
    const int first_pairs = num_first_pairs(first.end_pair, x.a, x.b);
    if (first_pairs == first.end_pair) return launch(x.a, x.b, first, stream);
    find_lead_kernel<<<1, kFindThreads, 0, stream>>>(
        first.lines, min(first_pairs * kCluster, first.lines.count()), x.lead);
    if (cudaError_t e = cudaGetLastError()) return e;
    first.end_pair = others.first_pair = first_pairs;
    return launch_in_two(x.a, x.b, lead_of_blocks(x.b, !transpose_b, x.lead), first, others, stream);
  } else {
    const DsdFamily<ElementOf<form>, transpose_a, transpose_b, transposed_out, float> family(index, n, out);
    if (form == kRoundedA) {
      if (cudaError_t e = convert(x.b, {}, stream)) return e;
    }
    return launch_unconverted(x.a, x.b, family, stream);
  }
}

/// Calls `f` with the form and the transposes as constants. Of TF32, one operand must be K-major.
template <typename F>
cudaError_t with_constants(Form form, bool transpose_a, bool transpose_b, F f) {
  using True = std::true_type;
  using False = std::false_type;
  const auto with_form = [&](auto constant) {
    if (!transpose_a) return transpose_b ? f(constant, False(), True()) : f(constant, False(), False());
    if (transpose_b) return f(constant, True(), True());
    if constexpr (decltype(constant)::value == kTf32) {
      return cudaErrorInvalidValue;
    } else {
      return f(constant, True(), False());
    }
  };
  switch (form) {
    case kTf32:
      return with_form(std::integral_constant<Form, kTf32>());
    case kConverted:
      return with_form(std::integral_constant<Form, kConverted>());
    case kRoundedA:
      return with_form(std::integral_constant<Form, kRoundedA>());
    default:
      return with_form(std::integral_constant<Form, kRoundedB>());
  }
}

/// The precision to multiply in by wgmma; kMegaBlocksFloat32 where it does not. `other` is the size that the index
/// does not give; the operands have so many elements. `suits_tf32`: whether it may take the place of bfloat16.
int hopper_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t other, bool transpose_a, bool transpose_b,
    double elements, bool suits_tf32) {
  // The TMA takes no empty matrix. An index of one may have blocks, of which none is used.
  if (index.block_size != kBlock || index.num_blocks <= 0 || index.num_blocks >= INT32_MAX / kBlock ||
      index.rows == 0 || index.rows >= INT32_MAX / 2 || index.columns == 0 || index.columns >= INT32_MAX / 2) {
    return kMegaBlocksFloat32;
  }
  const bool has_bfloat16 = hopper_supports(other, kBlock);
  // Of TF32, one operand must be K-major.
  const bool has_tf32 = !(transpose_a && !transpose_b) && hopper_supports(other, kBlock, 4);
  const bool takes_tf32 = has_tf32 && (suits_tf32 || precision == kMegaBlocksTf32 || !has_bfloat16);
  return faster_precision(precision, has_bfloat16, takes_tf32, num_products(index, other), elements);
}

}  // namespace

int hopper_sdd_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a, bool transpose_b) {
  // As of a grouped product: in bfloat16 the larger operand may do without a pass over it, and TF32 is the faster one
  // where both lie along the inner size and tiles have a neighbour in their column.
  const bool suits_tf32 = !transpose_a && transpose_b && index.num_blocks >= kCluster * (index.columns / kBlock);
  return hopper_precision(precision, index, k, transpose_a, transpose_b, double(index.rows + index.columns) * k,
                          suits_tf32);
}

int hopper_dsd_precision(
    int precision, const MegaBlocksSparseIndex& index, int64_t n, bool transpose_a, bool transpose_b) {
  const double elements =
      double(index.num_blocks) * kBlock * kBlock + double(transpose_a ? index.rows : index.columns) * n;
  return hopper_precision(precision, index, n, transpose_a, transpose_b, elements, true);
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
  return with_constants(x.form, transpose_a, transpose_b, [&](auto form, auto ta, auto tb) {
    return launch_sdd<decltype(form)::value, decltype(ta)::value, decltype(tb)::value>(x, index, k, values, stream);
  });
}

cudaError_t hopper_dsd(
    int precision, const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n,
    bool transpose_a, bool transpose_b, bool transposed_out, float* out, void* workspace, cudaStream_t stream) {
  Parts parts(workspace);
  const DsdOperands x = dsd_operands(precision, values, b, index, n, transpose_a, transpose_b, parts);
  return with_constants(x.form, transpose_a, transpose_b, [&](auto form, auto ta, auto tb) {
    constexpr Form kForm = decltype(form)::value;
    if constexpr (kForm == kRoundedB) {
      return cudaErrorInvalidValue;
    } else {
      constexpr bool a_transposed = decltype(ta)::value, b_transposed = decltype(tb)::value;
      const auto call = transposed_out ? launch_dsd<kForm, a_transposed, b_transposed, true>
                                       : launch_dsd<kForm, a_transposed, b_transposed, false>;
      return call(x, index, n, out, stream);
    }
  });
}

}  // namespace megablocks
