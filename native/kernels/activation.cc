// Elementwise activations and their gradients.
#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "training.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 4096;

void activation(Context& context, const ActivationAttrs& attrs) {
  const ActivationCall call(context, attrs);
  const auto kind = static_cast<Activation>(attrs.activation);
  parallel_ranges(call.x.size(), kGrain, [&](int64_t begin, int64_t end) {
    simd().activation(kind, end - begin, call.x.data + begin, call.y + begin);
  });
}

void activation_grad(Context& context, const ActivationAttrs& attrs) {
  const ActivationGradCall call(context, attrs);
  const auto kind = static_cast<Activation>(attrs.activation);
  parallel_ranges(call.x.size(), kGrain, [&](int64_t begin, int64_t end) {
    simd().activation_grad(kind, end - begin, call.x.data + begin, call.dy.data + begin, call.dx + begin);
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
