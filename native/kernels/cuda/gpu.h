// How a kernel runs a launcher of cuda/megablocks.h.
#pragma once

#include <string>
#include <vector>

#include "../../cuda/megablocks.h"
#include "../op_kernel.h"

namespace megablocks {

/// The GPU on which a call runs.
class Gpu {
 public:
  /// @throws std::runtime_error If the GPU is older than Ampere, which the kernels are for.
  explicit Gpu(Context& context);

  /// Calls launch(stream). All inputs are complete on that stream, and TensorFlow reads the outputs after
  /// what was launched: where the stream is not TensorFlow's own, the device is waited for on both sides.
  ///
  /// @throws std::bad_alloc, or std::runtime_error that says what CUDA said.
  template <typename Launch>
  void run(Launch launch) {
    begin();
    end(launch(stream_));
  }
  /// The same of launch(workspace, stream), with memory of TensorFlow's for the time of the call; `bytes` may be 0.
  template <typename Launch>
  void run(size_t bytes, Launch launch) {
    void* const workspace = context_.scratch(bytes);
    run([&](cudaStream_t stream) { return launch(workspace, stream); });
  }

 private:
  void begin();
  void end(cudaError_t error);

  Context& context_;
  cudaStream_t stream_ = nullptr;
};

/// The stream on which TensorFlow runs a call.
cudaStream_t stream_of(TF_OpKernelContext* context);

/// What the addon tells of CUDA.
struct CudaInfo {
  /// The version that the kernels were built with, as in 13.0.
  std::string version;
  /// 'tensorflow', or 'device' where the device is waited for around every launch.
  std::string stream;
  /// Every GPU that CUDA sees: its name and compute capability.
  std::vector<std::string> gpus;
  /// Why the kernels run on none of them: CUDA sees none, or tfjs-node's is older than Ampere.
  std::string problem;
};
CudaInfo cuda_info();

}  // namespace megablocks
