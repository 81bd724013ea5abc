#include "gpu.h"

#include <new>

namespace megablocks {
namespace {

/// Ampere: what mma.sync with TF32 and bfloat16, and cp.async, came with.
constexpr int kLeastMajor = 8;

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  // What is left behind would fail the next call.
  cudaGetLastError();
  if (error == cudaErrorMemoryAllocation) throw std::bad_alloc();
  throw std::runtime_error(std::string("CUDA: ") + cudaGetErrorString(error));
}

int attribute(cudaDeviceAttr name, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, name, device));
  return value;
}

std::string capability_of(int device) {
  return std::to_string(attribute(cudaDevAttrComputeCapabilityMajor, device)) + "." +
         std::to_string(attribute(cudaDevAttrComputeCapabilityMinor, device));
}

void require_supported(int device) {
  if (attribute(cudaDevAttrComputeCapabilityMajor, device) < kLeastMajor) {
    throw std::runtime_error("the GPU must have compute capability " + std::to_string(kLeastMajor) +
                             ".0 or newer, got " + capability_of(device));
  }
}

}  // namespace

Gpu::Gpu(Context& context) : context_(context) {
  int device = 0;
  check(cudaGetDevice(&device));
  require_supported(device);
}

#ifdef MEGABLOCKS_TENSORFLOW_STREAM
void Gpu::begin() { stream_ = stream_of(context_.handle()); }
void Gpu::end(cudaError_t error) { check(error); }
#else
void Gpu::begin() { check(cudaDeviceSynchronize()); }
void Gpu::end(cudaError_t error) {
  check(error);
  check(cudaDeviceSynchronize());
}
#endif

CudaInfo cuda_info() {
  CudaInfo info;
  info.version =
      std::to_string(CUDART_VERSION / 1000) + "." + std::to_string(CUDART_VERSION % 1000 / 10);
#ifdef MEGABLOCKS_TENSORFLOW_STREAM
  info.stream = "tensorflow";
#else
  info.stream = "device";
#endif
  try {
    int count = 0;
    check(cudaGetDeviceCount(&count));
    for (int device = 0; device < count; device++) {
      cudaDeviceProp properties;
      check(cudaGetDeviceProperties(&properties, device));
      info.gpus.push_back(std::string(properties.name) + ", compute capability " +
                          capability_of(device));
    }
    // tfjs-node computes on the first.
    require_supported(0);
  } catch (const std::exception& error) {
    info.problem = error.what();
  }
  return info;
}

}  // namespace megablocks
