// Activations and their derivatives.
#pragma once

#include <type_traits>

#include "common.cuh"

namespace megablocks {

struct Activated {
  float value, derivative;
};

/// By the special function unit, where what comes out is rounded to bfloat16: right to 2^-11, which that does not show.
template <bool fast>
__device__ float tanh_of(float x) {
  if constexpr (!fast) return tanhf(x);
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
template <bool fast>
__device__ float sigmoid_of(float x) {
  // By tanh it overflows nowhere, but far below zero all of it cancels.
  return fast ? 0.5f + 0.5f * tanh_of<true>(0.5f * x) : 1 / (1 + expf(-x));
}

/// f(x) and f'(x); what is not used costs nothing.
template <int activation, bool fast>
__device__ Activated activate(float x) {
  if constexpr (activation == kMegaBlocksGeluNew) {
    constexpr float kSqrt2OverPi = 0.7978845608f, kCubic = 0.044715f * kSqrt2OverPi;
    const float square = x * x;
    const float t = tanh_of<fast>(x * (kSqrt2OverPi + kCubic * square));
    const float half = 0.5f + 0.5f * t;
    return {x * half, half + 0.5f * x * (1 - t * t) * (kSqrt2OverPi + 3 * kCubic * square)};
  } else if constexpr (activation == kMegaBlocksGelu) {
    constexpr float kSqrtHalf = 0.70710678f, kOneOverSqrt2Pi = 0.39894228f;
    const float half = 0.5f + 0.5f * erff(x * kSqrtHalf), exponent = -0.5f * x * x;
    return {x * half, half + x * kOneOverSqrt2Pi * (fast ? __expf(exponent) : expf(exponent))};
  } else if constexpr (activation == kMegaBlocksSilu) {
    const float s = sigmoid_of<fast>(x);
    return {x * s, s * (1 + x * (1 - s))};
  } else {
    // Unlike fmaxf, it keeps NaN.
    return {x < 0 ? 0 : x, x <= 0 ? 0.f : 1.f};
  }
}

/// Calls `f` with the activation as a constant.
template <typename F>
cudaError_t with_activation(int activation, F f) {
  switch (activation) {
    case kMegaBlocksGeluNew:
      return f(std::integral_constant<int, kMegaBlocksGeluNew>());
    case kMegaBlocksGelu:
      return f(std::integral_constant<int, kMegaBlocksGelu>());
    case kMegaBlocksSilu:
      return f(std::integral_constant<int, kMegaBlocksSilu>());
    case kMegaBlocksRelu:
      return f(std::integral_constant<int, kMegaBlocksRelu>());
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace megablocks
