// The one file that needs TensorFlow's C++ headers, of the very version that the process runs.
#include <cuda_runtime.h>

#include "tensorflow/core/framework/op_kernel.h"
#include "xla/stream_executor/stream.h"

struct TF_OpKernelContext;

namespace megablocks {

cudaStream_t stream_of(TF_OpKernelContext* context) {
  // The C API's context is the C++ one under another name (tensorflow/c/kernels.cc).
  auto* kernel_context = reinterpret_cast<tensorflow::OpKernelContext*>(context);
  auto* stream = kernel_context->op_device_context()->stream();
  return static_cast<cudaStream_t>(stream->platform_specific_handle().stream);
}

}  // namespace megablocks
