// What is written once for every instruction set: simd_impl.h is compiled for each, and the best that
// the processor has is chosen at run time.
#pragma once

#include <cstdint>

namespace megablocks {

/// In the order of the names that ActivationAttrs of kernels/training.h takes.
enum class Activation { kGeluNew, kGelu, kSilu, kRelu };

/// The coefficients of one step of AdamW.
struct AdamWFactors {
  float step_size, decay, second_moment_scale, beta1, beta2, epsilon, gradient_scale;
};

/// The mean of a row and 1 / sqrt(variance + epsilon).
struct RowStatistics {
  float mean, scale;
};

/// Cache lines to fetch while a tile is multiplied: line i, from `first` on, is 64 bytes number i % 2^shift
/// of row i / 2^shift.
struct Prefetch {
  const float* rows;
  int64_t stride;
  int shift;
  int64_t first;
};

/// How a tile of a product is stored: as it is, added to what is there, or past the caches, which is for
/// results that are larger than they.
enum class Store { kSet, kAdd, kStream };

struct Simd {
  const char* name;

  /// The rows and columns of the tile that the product computes in registers.
  int64_t tile_rows, tile_columns;
  /// Packs op(a) [rows, k], rows <= tile_rows, as k columns of tile_rows. May write one vector beyond. `places`,
  /// here and in pack_b: where each row lies that is not in its place, of matrices that lie row by row; or null.
  void (*pack_a)(
      int64_t rows, int64_t k, const float* a, int64_t row_stride, int64_t column_stride,
      const int32_t* places, float* out);
  /// Packs op(b) [k, columns], columns <= tile_columns, as k rows of tile_columns, the rest zero.
  void (*pack_b)(
      int64_t k, int64_t columns, const float* b, int64_t row_stride, int64_t column_stride,
      const int32_t* places, float* out);
  /// c [rows, columns] = a b (+ c) of one packed panel each; fetches k lines, where there is a Prefetch.
  void (*multiply_tile)(
      int64_t rows, int64_t columns, int64_t k, const float* a, const float* b, float* c,
      int64_t c_stride, Store, const Prefetch* prefetch);
  /// After what was streamed, and before another thread reads it.
  void (*end_stream)();

  /// out = scale x; out += scale x; the sum of x y.
  void (*scale)(int64_t size, float scale, const float* x, float* out);
  void (*add_scaled)(int64_t size, float scale, const float* x, float* out);
  float (*dot)(int64_t size, const float* x, const float* y);

  void (*activation)(Activation, int64_t size, const float* x, float* out);
  /// out = f'(x) dy.
  void (*activation_grad)(Activation, int64_t size, const float* x, const float* dy, float* out);
  /// dx = factor f'(x) dy, y = factor f(x), and the sum of f(x) dy; `dx` may be dy.
  float (*scaled_activation_grad)(
      Activation, int64_t size, const float* x, const float* dy, float factor, float* dx, float* y);

  /// The largest; NaN where there is one.
  float (*max)(int64_t size, const float* x);
  /// The sum of exp(x - shift).
  float (*sum_exp)(int64_t size, const float* x, float shift);
  /// out = factor exp(x - shift), and the sum of the exponentials; `out` may be x.
  float (*scaled_exp)(int64_t size, const float* x, float shift, float factor, float* out);
  /// dp = scale p (dp - shift).
  void (*softmax_grad)(int64_t size, const float* p, float shift, float scale, float* dp);

  RowStatistics (*row_statistics)(int64_t size, const float* x, float epsilon);
  /// out = (x - mean) scale gamma + beta.
  void (*normalize)(
      int64_t size, const float* x, RowStatistics, const float* gamma, const float* beta, float* out);
  void (*normalize_grad)(
      int64_t size, const float* x, RowStatistics, const float* gamma, const float* dy, float* dx);
  /// dgamma += dy times the normalized row.
  void (*add_normalized)(
      int64_t size, const float* x, RowStatistics, const float* dy, float* dgamma);

  void (*adamw)(
      int64_t size, const AdamWFactors&, const float* value, const float* gradient,
      const float* first_moment, const float* second_moment, float* new_value,
      float* new_first_moment, float* new_second_moment);
};

/// The implementation in use. MEGABLOCKS_SIMD chooses another by its name, if the processor has it.
const Simd& simd();

}  // namespace megablocks
