// The products of a grouped product on the CPU: each expert's rows with its matrix, or with each other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mat_mul.h"

namespace megablocks {

/// Which rows are whose: those of an expert end at its bin.
struct ExpertRows {
  const int32_t* bins;
  int64_t experts, rows;

  /// Calls f(expert, begin, end) for each expert, within the rows there are whatever the bins say; returns where
  /// the last one ends.
  template <typename F>
  int64_t for_each(F f) const {
    int64_t begin = 0;
    for (int64_t expert = 0; expert < experts; expert++) {
      const int64_t end = std::min(std::max<int64_t>(bins[expert], begin), rows);
      f(expert, begin, end);
      begin = end;
    }
    return begin;
  }
};

// The rows here are whole, a stride long, and in expert order.

/// a [rows, k] times b [E, k, n], [E, n, k] with transpose_b -> [rows, n]; zero beyond the last bin.
void rows_times_matrices(
    const ExpertRows& groups, const Rows<const float>& a, const float* b, bool transpose_b, const Rows<float>& out);

/// The transposed rows of a [rows, m] times those of b [rows, n], expert by expert -> [E, m, n]; a in its places.
void rows_times_rows(
    const ExpertRows& groups, const Rows<const float>& a, const Rows<const float>& b, float* out);

}  // namespace megablocks
