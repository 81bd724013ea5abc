// One step of AdamW.
#include <algorithm>
#include <cmath>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 4096;

/// The factors change with every step, so they are an input: TensorFlow keeps a kernel for each set of
/// attributes.
void adamw(Context& context, const NoAttrs&) {
  const Input<float> value = context.floats(0, "value");
  const Input<float> gradient = context.floats(1, "gradient", value.shape);
  const Input<float> first = context.floats(2, "firstMoment", value.shape);
  const Input<float> second = context.floats(3, "secondMoment", value.shape);
  const Input<float> scale = context.floats(4, "gradientScale");
  context.require(scale.size() == 1,
                  "gradientScale must have one element, got shape " + text_of(scale.shape));
  const float* f = context.floats(5, "factors", {6}).data;
  const AdamWFactors factors{f[0], f[1], f[2], f[3], f[4], f[5], scale.data[0]};
  float* outputs[3];
  for (int i = 0; i < 3; i++) outputs[i] = context.output_floats(i, value.shape);
  // A gradient that is not finite changes nothing.
  if (!std::isfinite(scale.data[0])) {
    const float* inputs[] = {value.data, first.data, second.data};
    for (int i = 0; i < 3; i++) std::copy_n(inputs[i], value.size(), outputs[i]);
    return;
  }
  parallel_ranges(value.size(), kGrain, [&](int64_t begin, int64_t end) {
    simd().adamw(end - begin, factors, value.data + begin, gradient.data + begin, first.data + begin,
                 second.data + begin, outputs[0] + begin, outputs[1] + begin, outputs[2] + begin);
  });
}

}  // namespace

std::vector<KernelEntry> adamw_kernels() { return {MEGABLOCKS_KERNEL(AdamW, NoAttrs, adamw)}; }

}  // namespace megablocks
