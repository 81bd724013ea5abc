#include "hopper_grouped.cuh"

namespace megablocks {
namespace hopper {
namespace {

using EncodeTiled = decltype(&cuTensorMapEncodeTiled);

/// From the driver, so that no library is linked for one function.
EncodeTiled encode_tiled() {
  static const EncodeTiled function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result;
    const cudaError_t error = cudaGetDriverEntryPointByVersion(
        "cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
    return error == cudaSuccess && result == cudaDriverEntryPointSuccess
               ? reinterpret_cast<EncodeTiled>(found)
               : nullptr;
  }();
  return function;
}

struct GroupedOperands {
  OperandSource a, b;
};

GroupedOperands operands_of(
    const float* a, const float* b, int64_t rows, int64_t k, int64_t n, int num_experts,
    bool transpose_a, bool transpose_b, Parts& parts) {
  GroupedOperands x;
  x.a.from = a;
  x.a.width = k;
  x.a.height = rows;
  x.a.half = parts.take<__nv_bfloat16>(rows * k);
  x.b.from = b;
  x.b.width = !transpose_a && transpose_b ? k : n;
  x.b.height = transpose_a ? rows : transpose_b ? n : k;
  x.b.depth = transpose_a ? 1 : num_experts;
  x.b.half = parts.take<__nv_bfloat16>(x.b.width * x.b.height * x.b.depth);
  return x;
}

template <bool transpose_a, bool transpose_b, Share share>
cudaError_t multiply_grouped(
    const GroupedOperands& x, const int32_t* bins, int64_t rows, int64_t k, int64_t n, int num_experts,
    float* out, cudaStream_t stream) {
  const Grouped<transpose_a, transpose_b, share, PlainOutput> family{
      bins, rows, static_cast<int>(k), static_cast<int>(n), num_experts, {out, n}};
  return launch(x.a, x.b, family, stream);
}

/// Vectors of four that a lane loads together when it converts, and that a warp does.
constexpr int kHeld = 4;
constexpr int kConverted = kHeld * kWarp;

/// A matrix that is converted, in units of as many vectors of a row as a warp converts at once. Where rows stay
/// where they are, all of it is one row.
struct Conversion {
  const float4* from;
  uint2* to;
  const int32_t* indices;
  int64_t width;
  int rows, top_k, units_a_row, units;

  explicit Conversion(const OperandSource& x)
      : from(reinterpret_cast<const float4*>(x.from)), to(reinterpret_cast<uint2*>(x.half)), indices(x.indices),
        width(x.width * (indices != nullptr ? 1 : x.height * x.depth) / 4),
        rows(indices != nullptr ? static_cast<int>(x.height) : 1), top_k(x.top_k),
        units_a_row(static_cast<int>(ceil_divide<int64_t>(width, kConverted))),
        units(from == nullptr ? 0 : rows * units_a_row) {}

  /// The warp's lanes call it.
  __device__ void convert(int unit) const {
    const int row = unit / units_a_row;
    const int64_t begin = int64_t{unit % units_a_row} * kConverted;
    int64_t source = row;
    if (indices != nullptr) {
      const int copy = indices[row];
      source = copy >= 0 && copy < rows ? copy / top_k : -1;
    }
    convert_vectors<kHeld>(source < 0 ? nullptr : from + source * width, to + row * width, begin, width);
  }
};

__global__ void convert_kernel(const Conversion a, const Conversion b) {
  const int warps = static_cast<int>(num_threads() / kWarp);
  for (int unit = static_cast<int>(thread_index() / kWarp); unit < a.units + b.units; unit += warps) {
    if (unit < a.units) {
      a.convert(unit);
    } else {
      b.convert(unit - a.units);
    }
  }
}

}  // namespace

cudaError_t convert(const OperandSource& a, const OperandSource& b, cudaStream_t stream) {
  constexpr int kThreads = 256;
  const Conversion first(a), second(b);
  const int units = first.units + second.units;
  if (units == 0) return cudaSuccess;
  convert_kernel<<<grid_for(units, kThreads / kWarp), kThreads, 0, stream>>>(first, second);
  return cudaGetLastError();
}

template <typename Element>
bool make_map(CUtensorMap& map, const Matrix<Element>& x, int box_height) {
  // Of float32, the TMA rounds to TF32 what it loads.
  constexpr CUtensorMapDataType kType = std::is_same<Element, float>::value ? CU_TENSOR_MAP_DATA_TYPE_TFLOAT32
                                                                            : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(x.width), static_cast<cuuint64_t>(x.height),
                              static_cast<cuuint64_t>(x.depth)};
  const cuuint64_t strides[] = {x.stride * sizeof(Element), x.stride * x.height * sizeof(Element)};
  const cuuint32_t box[] = {kDepthOf<Element>, static_cast<cuuint32_t>(box_height), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  return encode_tiled()(&map, kType, 3, const_cast<Element*>(x.data), sizes, strides, box, steps,
                        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}
template bool make_map(CUtensorMap&, const Matrix<__nv_bfloat16>&, int);
template bool make_map(CUtensorMap&, const Matrix<float>&, int);

cudaError_t num_multiprocessors(int& count) {
  int id;
  if (cudaError_t e = cudaGetDevice(&id)) return e;
  return cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, id);
}

}  // namespace hopper

using namespace hopper;

bool hopper_supports(int64_t k, int64_t n, int vector) {
  int id, major;
  return k > 0 && n > 0 && k % vector == 0 && n % vector == 0 && k <= INT32_MAX / 2 && n <= INT32_MAX / 2 &&
         cudaGetDevice(&id) == cudaSuccess &&
         cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, id) == cudaSuccess &&
         major == 9 && encode_tiled() != nullptr;
}

size_t hopper_grouped_workspace(
    int64_t rows, int64_t k, int64_t n, int num_experts, bool transpose_a, bool transpose_b) {
  Parts parts;
  operands_of(nullptr, nullptr, rows, k, n, num_experts, transpose_a, transpose_b, parts);
  return parts.size();
}

cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream) {
  Parts parts(workspace);
  const GroupedOperands x = operands_of(a, b, rows, k, n, num_experts, transpose_a, transpose_b, parts);
  const bool share_b = shares_b(rows, k, n, num_experts, transpose_a);
  const auto call = transpose_a ? share_b ? multiply_grouped<true, false, kShareB>
                                          : multiply_grouped<true, false, kShareA>
                    : transpose_b ? share_b ? multiply_grouped<false, true, kShareB>
                                            : multiply_grouped<false, true, kShareA>
                    : share_b ? multiply_grouped<false, false, kShareB>
                              : multiply_grouped<false, false, kShareA>;
  return call(x, bins, rows, k, n, num_experts, out, stream);
}

}  // namespace megablocks
