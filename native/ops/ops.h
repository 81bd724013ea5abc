// The definition of every op: what TensorFlow knows of it before any kernel runs.
#pragma once

namespace megablocks {

/// Registers all of them. Throws std::runtime_error where TensorFlow refuses one, as it does when they
/// are there already.
void register_ops();

}  // namespace megablocks
