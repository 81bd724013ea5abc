// Activations, their gradients, and AdamW: one element a thread, in a grid-stride loop.
#include "activation.cuh"

namespace megablocks {
namespace {

constexpr int kThreads = 256;

template <int activation>
__global__ void activation_kernel(const float* x, int64_t size, float* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) out[i] = activate<activation, false>(x[i]).value;
}

template <int activation>
__global__ void activation_grad_kernel(const float* x, const float* dy, int64_t size, float* out) {
  for (int64_t i = thread_index(); i < size; i += num_threads()) {
    out[i] = activate<activation, false>(x[i]).derivative * dy[i];
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

}  // namespace
}  // namespace megablocks

using namespace megablocks;

cudaError_t megablocks_activation(
    int activation, const float* x, int64_t size, float* out, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  return with_activation(activation, [&](auto kind) {
    activation_kernel<decltype(kind)::value>
        <<<grid_for(size, kThreads), kThreads, 0, stream>>>(x, size, out);
    return cudaGetLastError();
  });
}

cudaError_t megablocks_activation_grad(
    int activation, const float* x, const float* dy, int64_t size, float* out, cudaStream_t stream) {
  if (size == 0) return cudaSuccess;
  return with_activation(activation, [&](auto kind) {
    activation_grad_kernel<decltype(kind)::value>
        <<<grid_for(size, kThreads), kThreads, 0, stream>>>(x, dy, size, out);
    return cudaGetLastError();
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
