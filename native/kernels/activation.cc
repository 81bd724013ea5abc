// Elementwise activations and their gradients.
#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 4096;

struct ActivationAttrs {
  Activation kind;
  explicit ActivationAttrs(Attributes& attrs)
      : kind(static_cast<Activation>(
            attrs.choice("activation", {"gelu_new", "gelu", "silu", "relu"}))) {}
};

void activation(Context& context, const ActivationAttrs& attrs) {
  const Input<float> x = context.floats(0, "x");
  float* out = context.output_floats(0, x.shape);
  parallel_ranges(x.size(), kGrain, [&](int64_t begin, int64_t end) {
    simd().activation(attrs.kind, end - begin, x.data + begin, out + begin);
  });
}

void activation_grad(Context& context, const ActivationAttrs& attrs) {
  const Input<float> x = context.floats(0, "x");
  const Input<float> dy = context.floats(1, "dy", x.shape);
  float* out = context.output_floats(0, x.shape);
  parallel_ranges(x.size(), kGrain, [&](int64_t begin, int64_t end) {
    simd().activation_grad(attrs.kind, end - begin, x.data + begin, dy.data + begin, out + begin);
  });
}

}  // namespace

std::vector<KernelEntry> activation_kernels() {
  return {
      MEGABLOCKS_KERNEL(Activation, ActivationAttrs, activation),
      MEGABLOCKS_KERNEL(ActivationGrad, ActivationAttrs, activation_grad),
  };
}

}  // namespace megablocks
