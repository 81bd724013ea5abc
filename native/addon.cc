// The Node.js addon: registers the ops and their kernels with the TensorFlow that this process runs in,
// and tells what it found.
#include <node_api.h>

#include <exception>
#include <mutex>
#include <string>

#ifdef MEGABLOCKS_CUDA
#include "kernels/cuda/gpu.h"
#endif
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

#ifdef MEGABLOCKS_CUDA
/// cuda: {version, stream, gpus, problem}.
void set_cuda(napi_env env, napi_value exports) {
  const megablocks::CudaInfo info = megablocks::cuda_info();
  napi_value cuda, gpus;
  if (napi_create_object(env, &cuda) != napi_ok || napi_create_array(env, &gpus) != napi_ok) return;
  set(env, cuda, "version", info.version.c_str());
  set(env, cuda, "stream", info.stream.c_str());
#ifdef MEGABLOCKS_TENSORFLOW_STREAM
  // The headers fit no other version.
  set(env, cuda, "tensorflow", MEGABLOCKS_TENSORFLOW_STREAM);
#endif
  if (!info.problem.empty()) set(env, cuda, "problem", info.problem.c_str());
  for (size_t i = 0; i < info.gpus.size(); i++) {
    napi_value gpu;
    if (napi_create_string_utf8(env, info.gpus[i].c_str(), NAPI_AUTO_LENGTH, &gpu) == napi_ok) {
      napi_set_element(env, gpus, i, gpu);
    }
  }
  napi_set_named_property(env, cuda, "gpus", gpus);
  napi_set_named_property(env, exports, "cuda", cuda);
}
#endif

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
#ifdef MEGABLOCKS_CUDA
  set_cuda(env, exports);
#endif
  return exports;
}

}  // namespace

NAPI_MODULE(megablocks, init)
