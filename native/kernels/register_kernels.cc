#include <stdexcept>

#include "kernels.h"

namespace megablocks {

void register_kernels() {
  for (const auto& family :
       {activation_kernels, adamw_kernels, attention_kernels, cross_entropy_kernels, embedding_kernels,
        grouped_mat_mul_kernels, layer_norm_kernels, permutation_kernels, routing_kernels,
        sparse_products_kernels, sparse_topology_kernels, top_k_kernels}) {
    for (const KernelEntry& entry : family()) {
      TF_Status* status = TF_NewStatus();
      TF_RegisterKernelBuilder(
          entry.op, TF_NewKernelBuilder(entry.op, "CPU", entry.create, entry.compute, entry.destroy),
          status);
      const std::string problem = TF_GetCode(status) == TF_OK ? "" : TF_Message(status);
      TF_DeleteStatus(status);
      if (!problem.empty()) {
        throw std::runtime_error(std::string(entry.op) + ": " + problem);
      }
    }
  }
}

}  // namespace megablocks
