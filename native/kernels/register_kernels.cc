#include <stdexcept>

#include "kernels.h"

namespace megablocks {
namespace {

void register_family(const char* device, const std::vector<KernelEntry>& family) {
  for (const KernelEntry& entry : family) {
    TF_Status* status = TF_NewStatus();
    TF_RegisterKernelBuilder(
        entry.op, TF_NewKernelBuilder(entry.op, device, entry.create, entry.compute, entry.destroy),
        status);
    const std::string problem = TF_GetCode(status) == TF_OK ? "" : TF_Message(status);
    TF_DeleteStatus(status);
    if (!problem.empty()) {
      throw std::runtime_error(std::string(entry.op) + " on the " + device + ": " + problem);
    }
  }
}

}  // namespace

void register_kernels() {
  for (const auto& family :
       {activation_kernels, adamw_kernels, attention_kernels, cross_entropy_kernels, embedding_kernels,
        grouped_mat_mul_kernels, grouped_mlp_kernels, layer_norm_kernels, permutation_kernels,
        routing_kernels, sparse_products_kernels, sparse_topology_kernels, top_k_kernels}) {
    register_family("CPU", family());
  }
#ifdef MEGABLOCKS_CUDA
  for (const auto& family : {cuda_grouped_mlp_kernels, cuda_permutation_kernels, cuda_products_kernels,
                             cuda_routing_kernels, cuda_training_kernels}) {
    register_family("GPU", family());
  }
#endif
}

}  // namespace megablocks
