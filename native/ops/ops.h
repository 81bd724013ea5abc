// The definition of every op: what TensorFlow knows of it before any kernel runs.
#pragma once

namespace megablocks {

/// Registers all of them, once a process: where they are there already, TensorFlow ends it.
///
/// @throws std::runtime_error Where it refuses one.
void register_ops();

}  // namespace megablocks
