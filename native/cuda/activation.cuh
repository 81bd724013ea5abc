// Activations and their derivatives, for kernels that round what comes out to bfloat16.
#pragma once

#include "common.cuh"

namespace megablocks {

struct Activated {
  float value, derivative;
};

/// tanh by the special function unit: right to 2^-11, which bfloat16 does not show.
__device__ inline float fast_tanh(float x) {
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// f(x) and f'(x); what is not used costs nothing.
template <int activation>
__device__ Activated activate(float x) {
  if constexpr (activation == kMegaBlocksGeluNew) {
    constexpr float kSqrt2OverPi = 0.7978845608f, kCubic = 0.044715f * kSqrt2OverPi;
    const float square = x * x;
    const float t = fast_tanh(x * (kSqrt2OverPi + kCubic * square));
    const float half = 0.5f + 0.5f * t;
    return {x * half, half + 0.5f * x * (1 - t * t) * (kSqrt2OverPi + 3 * kCubic * square)};
  } else if constexpr (activation == kMegaBlocksGelu) {
    constexpr float kSqrtHalf = 0.70710678f, kOneOverSqrt2Pi = 0.39894228f;
    const float half = 0.5f + 0.5f * erff(x * kSqrtHalf);
    return {x * half, half + x * kOneOverSqrt2Pi * __expf(-0.5f * x * x)};
  } else if constexpr (activation == kMegaBlocksSilu) {
    // By tanh, which overflows nowhere.
    const float s = 0.5f + 0.5f * fast_tanh(0.5f * x);
    return {x * s, s * (1 + x * (1 - s))};
  } else {
    // Unlike fmaxf, it keeps NaN.
    return {x < 0 ? 0 : x, x <= 0 ? 0.f : 1.f};
  }
}

}  // namespace megablocks
