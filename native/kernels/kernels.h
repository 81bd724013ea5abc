// The kernels of every op, by family; each file of this folder has one.
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
std::vector<KernelEntry> layer_norm_kernels();
std::vector<KernelEntry> permutation_kernels();
std::vector<KernelEntry> routing_kernels();
std::vector<KernelEntry> sparse_products_kernels();
std::vector<KernelEntry> sparse_topology_kernels();
std::vector<KernelEntry> top_k_kernels();

/// Registers all of them with TensorFlow for the CPU. Throws std::runtime_error where it refuses one.
void register_kernels();

}  // namespace megablocks
