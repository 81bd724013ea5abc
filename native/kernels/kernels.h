// The kernels of every op, one function a family: those of this folder for the CPU, those of cuda/ for the GPU.
#pragma once

#include <vector>

#include "op_kernel.h"

namespace megablocks {

std::vector<KernelEntry> activation_kernels();
std::vector<KernelEntry> adamw_kernels();
std::vector<KernelEntry> attention_kernels();
std::vector<KernelEntry> cross_entropy_kernels();
std::vector<KernelEntry> embedding_kernels();
std::vector<KernelEntry> grouped_mat_mul_kernels();
std::vector<KernelEntry> grouped_mlp_kernels();
std::vector<KernelEntry> layer_norm_kernels();
std::vector<KernelEntry> permutation_kernels();
std::vector<KernelEntry> routing_kernels();
std::vector<KernelEntry> sparse_products_kernels();
std::vector<KernelEntry> sparse_topology_kernels();
std::vector<KernelEntry> top_k_kernels();

#ifdef MEGABLOCKS_CUDA
std::vector<KernelEntry> cuda_grouped_mlp_kernels();
std::vector<KernelEntry> cuda_permutation_kernels();
std::vector<KernelEntry> cuda_products_kernels();
std::vector<KernelEntry> cuda_routing_kernels();
std::vector<KernelEntry> cuda_training_kernels();
#endif

/// Registers all of them with TensorFlow, for the CPU, and where CUDA was there for the GPU.
///
/// @throws std::runtime_error Where it refuses one.
void register_kernels();

}  // namespace megablocks
