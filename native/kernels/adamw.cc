// One step of AdamW.
#include <algorithm>
#include <cmath>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "training.h"

namespace megablocks {
namespace {

constexpr int64_t kGrain = 4096;

void adamw(Context& context, const NoAttrs& attrs) {
  const AdamWCall call(context, attrs);
  const float *value = call.value.data, *first = call.first.data, *second = call.second.data;
  const float *f = call.factors.data, scale = call.scale.data[0];
  const AdamWFactors factors{f[0], f[1], f[2], f[3], f[4], f[5], scale};
  // A gradient that is not finite changes nothing.
  if (!std::isfinite(scale)) {
    const float* inputs[] = {value, first, second};
    for (int i = 0; i < 3; i++) std::copy_n(inputs[i], call.value.size(), call.outputs[i]);
    return;
  }
  parallel_ranges(call.value.size(), kGrain, [&](int64_t begin, int64_t end) {
    simd().adamw(end - begin, factors, value + begin, call.gradient.data + begin, first + begin,
                 second + begin, call.outputs[0] + begin, call.outputs[1] + begin,
                 call.outputs[2] + begin);
  });
}

}  // namespace

std::vector<KernelEntry> adamw_kernels() { return {MEGABLOCKS_KERNEL(AdamW, NoAttrs, adamw)}; }

}  // namespace megablocks
