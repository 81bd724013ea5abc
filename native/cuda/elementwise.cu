// Activations, their gradients, and AdamW: one element a thread, in a grid-stride loop.
#include "common.cuh"

namespace megablocks {
namespace {

constexpr int kThreads = 256;
constexpr float kSqrt2OverPi = 0.7978845608f, kCubic = 0.044715f, kSqrtHalf = 0.70710678f;
constexpr float kOneOverSqrt2Pi = 0.39894228f;

__device__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }
__device__ float gelu_argument(float x) { return kSqrt2OverPi * (x + kCubic * x * x * x); }

template <int activation>
__device__ float apply(float x) {
  if constexpr (activation == kMegaBlocksGeluNew) return 0.5f * x * (1 + tanhf(gelu_argument(x)));
  if constexpr (activation == kMegaBlocksGelu) return 0.5f * x * (1 + erff(x * kSqrtHalf));
  if constexpr (activation == kMegaBlocksSilu) return x * sigmoid(x);
  // Unlike fmaxf, it keeps NaN.
  return x < 0 ? 0 : x;
}

template <int activation>
__device__ float derivative(float x) {
  if constexpr (activation == kMegaBlocksGeluNew) {
    const float t = tanhf(gelu_argument(x));
    const float slope = kSqrt2OverPi * (1 + 3 * kCubic * x * x);
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * slope;
  }
  if constexpr (activation == kMegaBlocksGelu) {
    return 0.5f * (1 + erff(x * kSqrtHalf)) + x * kOneOverSqrt2Pi * expf(-0.5f * x * x);
  }
  if constexpr (activation == kMegaBlocksSilu) {
    const float s = sigmoid(x);
    return s * (1 + x * (1 - s));
  }
  return x <= 0 ? 0 : 1;
}

template <int activation>
__global__ void activation_kernel(const float* x, int64_t size, float* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) out[i] = apply<activation>(x[i]);
}

template <int activation>
__global__ void activation_grad_kernel(const float* x, const float* dy, int64_t size, float* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) {
    out[i] = derivative<activation>(x[i]) * dy[i];
  }
}

__global__ void adamw_kernel(
    const MegaBlocksAdamWFactors* factors, const float* value, const float* gradient, const float* first_moment,
    const float* second_moment, const float* gradient_scale, int64_t size, float* new_value,
    float* new_first_moment, float* new_second_moment) {
  const MegaBlocksAdamWFactors f = *factors;
  const float scale = *gradient_scale;
  const bool changes = isfinite(scale);
  for (int64_t i = thread_index(); i < size; i += num_threads()) {
    const float old_value = value[i], old_first = first_moment[i], old_second = second_moment[i];
    const float g = scale * gradient[i];
    const float first = f.beta1 * old_first + (1 - f.beta1) * g;
    const float second = f.beta2 * old_second + (1 - f.beta2) * g * g;
    const float step = f.step_size * first / (sqrtf(second * f.second_moment_scale) + f.epsilon);
    new_first_moment[i] = changes ? first : old_first;
    new_second_moment[i] = changes ? second : old_second;
    new_value[i] = changes ? f.decay * old_value - step : old_value;
  }
}

/// Calls `launch` with the activation as a constant.
template <typename Launch>
cudaError_t with_activation(int activation, Launch launch) {
  switch (activation) {
    case kMegaBlocksGeluNew:
      launch(std::integral_constant<int, kMegaBlocksGeluNew>());
      break;
    case kMegaBlocksGelu:
      launch(std::integral_constant<int, kMegaBlocksGelu>());
      break;
    case kMegaBlocksSilu:
      launch(std::integral_constant<int, kMegaBlocksSilu>());
      break;
    case kMegaBlocksRelu:
      launch(std::integral_constant<int, kMegaBlocksRelu>());
      break;
    default:
      return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_activation(
    int activation, const float* x, int64_t size, float* out, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  return with_activation(activation, [&](auto kind) {
    activation_kernel<decltype(kind)::value>
        <<<grid_for(size, kThreads), kThreads, 0, stream>>>(x, size, out);
  });
}

cudaError_t megablocks_activation_grad(
    int activation, const float* x, const float* dy, int64_t size, float* out, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  return with_activation(activation, [&](auto kind) {
    activation_grad_kernel<decltype(kind)::value>
        <<<grid_for(size, kThreads), kThreads, 0, stream>>>(x, dy, size, out);
  });
}

cudaError_t megablocks_adamw(
    const MegaBlocksAdamWFactors* factors, const float* value, const float* gradient,
    const float* first_moment, const float* second_moment, const float* gradient_scale, int64_t size,
    float* new_value, float* new_first_moment, float* new_second_moment, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  adamw_kernel<<<grid_for(size, kThreads), kThreads, 0, stream>>>(
      factors, value, gradient, first_moment, second_moment, gradient_scale, size, new_value,
      new_first_moment, new_second_moment);
  return cudaGetLastError();
}
