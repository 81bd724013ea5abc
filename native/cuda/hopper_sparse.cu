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

struct Operands {
  OperandSource a, b;
  /// What SwappedDsdFamily needs of the index.
  int32_t* alike = nullptr;
};

Operands sdd_operands(
    int precision, const float* a, const float* b, const MegaBlocksSparseIndex& index, int64_t k, bool transpose_a,
    bool transpose_b, Parts& parts) {
  const auto source = [&](const float* from, int64_t height, int64_t width, bool transpose) {
    return dense_source(precision, from, transpose ? width : height, transpose ? height : width, parts);
  };
  const OperandSource left = source(a, index.rows, k, transpose_a);
  return {left, source(b, k, index.columns, transpose_b)};
}

/// Whether the transpose of a product is computed.
bool is_swapped(int precision, bool transpose_a, bool transpose_b) {
  return precision == kMegaBlocksTf32 && !transpose_a && !transpose_b;
}

Operands dsd_operands(
    int precision, const float* values, const float* b, const MegaBlocksSparseIndex& index, int64_t n,
    bool transpose_a, bool transpose_b, Parts& parts) {
  OperandSource left = dense_source(precision, values, index.num_blocks * kBlock, kBlock, parts);
  left.height = kBlock;
  left.depth = index.num_blocks;
  const int64_t inner = transpose_a ? index.rows : index.columns;
  Operands x{left, dense_source(precision, b, transpose_b ? n : inner, transpose_b ? inner : n, parts)};
  if (is_swapped(precision, transpose_a, transpose_b)) x.alike = parts.take<int32_t>(ceil_divide<int64_t>(index.rows / kBlock, 2));
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

template <typename Element, bool transpose_a, bool transpose_b>
cudaError_t launch_sdd(
    const Operands& x, const MegaBlocksSparseIndex& index, int64_t k, float* values, cudaStream_t stream) {
  if constexpr (std::is_same<Element, float>::value && !transpose_a && !transpose_b) {
    return launch_sources(x.b, x.a, SddFamily<Element, true, true, true>(index, k, values), stream);
  } else {
    return launch_sources(x.a, x.b, SddFamily<Element, transpose_a, transpose_b>(index, k, values), stream);
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
    const Operands& x, const MegaBlocksSparseIndex& index, int64_t n, float* out, cudaStream_t stream) {
  if constexpr (std::is_same<Element, float>::value && !transpose_a && !transpose_b) {
    constexpr int kThreads = 128;
    compare_lines_kernel<<<grid_for(ceil_divide<int64_t>(index.rows / kBlock, 2), kThreads / kWarp), kThreads, 0, stream>>>(
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
  const Operands x = sdd_operands(precision, a, b, index, k, transpose_a, transpose_b, parts);
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
  const Operands x = dsd_operands(precision, values, b, index, n, transpose_a, transpose_b, parts);
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
