// The Node.js addon: registers the ops and their kernels with the TensorFlow that this process runs in,
// and tells what it found.
#include <node_api.h>

#include <exception>
#include <mutex>
#include <string>

#include "kernels/kernels.h"
#include "ops/ops.h"
#include "parallel.h"
#include "simd/simd.h"

namespace {

/// Once a process, however many contexts and worker threads load the addon. Returns what went wrong.
const std::string& register_once() {
  static std::once_flag once;
  static std::string& problem = *new std::string();
  std::call_once(once, [] {
    try {
      megablocks::register_ops();
      megablocks::register_kernels();
    } catch (const std::exception& error) {
      problem = error.what();
    }
  });
  return problem;
}

void set(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) {
    napi_set_named_property(env, object, name, value);
  }
}

napi_value init(napi_env env, napi_value exports) {
  const std::string& problem = register_once();
  if (!problem.empty()) {
    napi_throw_error(env, nullptr, ("TensorFlow refused an op: " + problem).c_str());
    return nullptr;
  }
  set(env, exports, "instructions", megablocks::simd().name);
  napi_value threads;
  if (napi_create_int32(env, megablocks::num_threads(), &threads) == napi_ok) {
    napi_set_named_property(env, exports, "threads", threads);
  }
  return exports;
}

}  // namespace

NAPI_MODULE(megablocks, init)
