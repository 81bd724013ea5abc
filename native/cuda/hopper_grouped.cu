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
  Rounding rounding;

  GroupedOperands(
      const float* a_data, const float* b_data, int64_t rows, int64_t k, int64_t n, int num_experts,
      bool transpose_a, bool transpose_b, Parts& parts) {
    a.from = a_data;
    a.width = k;
    a.height = rows;
    b.from = b_data;
    b.width = !transpose_a && transpose_b ? k : n;
    b.height = transpose_a ? rows : transpose_b ? n : k;
    b.depth = transpose_a ? 1 : num_experts;
    rounding = Rounding(a.size(), b.size(), double(rows) * k * n,
                        transpose_a ? kTimesRoundedForMatrices : kTimesRounded);
    take_halves(rounding, a, b, parts);
  }
};

template <bool transpose_a, bool transpose_b, Share share>
cudaError_t multiply_converted(const GroupedCall& c, const GroupedOperands& x) {
  const Grouped<transpose_a, transpose_b, share, PlainOutput> family{
      c.bins, c.rows, static_cast<int>(c.k), static_cast<int>(c.n), c.num_experts, {c.out, c.n}};
  return launch_by_experts(x.a, x.b, family, c.stream);
}

/// The larger operand, b if `swapped`, is the kernel's left one, which may go through registers.
template <bool transpose_a, bool transpose_b, Share share, bool swapped>
cudaError_t multiply_rounding(const GroupedCall& c, const GroupedOperands& x) {
  const OperandSource &left = swapped ? x.b : x.a, &right = swapped ? x.a : x.b;
  const Grouped<transpose_a, transpose_b, share, PlainOutput, __nv_bfloat16, swapped, float> family{
      c.bins, c.rows, static_cast<int>(c.k), static_cast<int>(c.n), c.num_experts, {c.out, c.n}};
  if (cudaError_t e = convert(right, {}, c.stream)) return e;
  return launch(as_it_lies(left), converted(right), family, c.stream);
}

template <bool transpose_a, bool transpose_b>
cudaError_t multiply_grouped(const GroupedCall& c, const GroupedOperands& x) {
  const bool rounds = x.rounding.on_the_way, swapped = rounds && x.rounding.b_larger;
  const bool share_b = shares_b(c.rows, c.k, c.n, c.num_experts, transpose_a, swapped);
  const auto multiply =
      swapped   ? share_b ? multiply_rounding<transpose_a, transpose_b, kShareB, true>
                          : multiply_rounding<transpose_a, transpose_b, kShareA, true>
      : rounds  ? share_b ? multiply_rounding<transpose_a, transpose_b, kShareB, false>
                          : multiply_rounding<transpose_a, transpose_b, kShareA, false>
      : share_b ? multiply_converted<transpose_a, transpose_b, kShareB>
                : multiply_converted<transpose_a, transpose_b, kShareA>;
  return multiply(c, x);
}

__global__ void __launch_bounds__(kConvertThreads) convert_kernel(const Conversion a, const Conversion b) {
  convert_share(a, b, blockIdx.x, gridDim.x);
}

}  // namespace

cudaError_t convert(const OperandSource& a, const OperandSource& b, const Lead& lead_of_b, cudaStream_t stream) {
  const Conversion first(a), second(b, lead_of_b);
  const int blocks = blocks_to_convert(first, second);
  if (blocks == 0) return cudaSuccess;
  convert_kernel<<<blocks, kConvertThreads, 0, stream>>>(first, second);
  return cudaGetLastError();
}

template <typename Element>
bool make_map(CUtensorMap& map, const Matrix<Element>& x, int box_height, bool to_tf32) {
  const CUtensorMapDataType type = std::is_same<Element, __nv_bfloat16>::value ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                   : to_tf32                                  ? CU_TENSOR_MAP_DATA_TYPE_TFLOAT32
                                                                              : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(x.width), static_cast<cuuint64_t>(x.height),
                              static_cast<cuuint64_t>(x.depth)};
  const cuuint64_t strides[] = {x.stride * sizeof(Element), x.stride * x.height * sizeof(Element)};
  const cuuint32_t box[] = {kDepthOf<Element>, static_cast<cuuint32_t>(box_height), 1};
  const cuuint32_t steps[] = {1, 1, 1};
  return encode_tiled()(&map, type, 3, const_cast<Element*>(x.data), sizes, strides, box, steps,
                        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                        CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}
template bool make_map(CUtensorMap&, const Matrix<__nv_bfloat16>&, int, bool);
template bool make_map(CUtensorMap&, const Matrix<float>&, int, bool);

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
  GroupedOperands(nullptr, nullptr, rows, k, n, num_experts, transpose_a, transpose_b, parts);
  return parts.size();
}

cudaError_t hopper_grouped_mat_mul(
    const float* a, const float* b, const int32_t* bins, int64_t rows, int64_t k, int64_t n,
    int num_experts, bool transpose_a, bool transpose_b, float* out, void* workspace,
    cudaStream_t stream) {
  Parts parts(workspace);
  const GroupedOperands x(a, b, rows, k, n, num_experts, transpose_a, transpose_b, parts);
  const auto multiply = transpose_a   ? multiply_grouped<true, false>
                        : transpose_b ? multiply_grouped<false, true>
                                      : multiply_grouped<false, false>;
  return multiply({bins, rows, k, n, num_experts, out, stream}, x);
}

}  // namespace megablocks
