#include "simd.h"

#include <cstdlib>
#include <cstring>
#include <vector>

namespace megablocks {

extern const Simd kBaseline;
#ifdef MEGABLOCKS_X86
extern const Simd kAvx2;
extern const Simd kAvx512;
#endif

namespace {

const Simd& choose() {
  std::vector<const Simd*> available;
#ifdef MEGABLOCKS_X86
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
    available.push_back(&kAvx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    available.push_back(&kAvx2);
  }
#endif
  available.push_back(&kBaseline);
  const char* wanted = std::getenv("MEGABLOCKS_SIMD");
  for (const Simd* candidate : available) {
    if (wanted != nullptr && std::strcmp(candidate->name, wanted) == 0) {
      return *candidate;
    }
  }
  return *available.front();
}

}  // namespace

const Simd& simd() {
  static const Simd& chosen = choose();
  return chosen;
}

}  // namespace megablocks
