// Compiled once for each instruction set, by a file that defines MEGABLOCKS_LANES (floats in a vector),
// MEGABLOCKS_TILE_ROWS and MEGABLOCKS_TILE_VECTORS (the product's tile: rows, and vectors across),
// MEGABLOCKS_SIMD_NAME and MEGABLOCKS_SIMD_TABLE, and where there are such instructions MEGABLOCKS_STREAM(to, v)
// and MEGABLOCKS_END_STREAM(), which store a vector past the caches. Everything here has internal linkage, so that no
// code of one instruction set is linked into another.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "simd.h"

namespace megablocks {
namespace {

constexpr int kLanes = MEGABLOCKS_LANES;
constexpr int kTileRows = MEGABLOCKS_TILE_ROWS;
constexpr int kTileVectors = MEGABLOCKS_TILE_VECTORS;
constexpr int kTileColumns = kTileVectors * kLanes;
constexpr int kLineFloats = 16;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef int32_t IntVec __attribute__((vector_size(kLanes * sizeof(int32_t))));

inline Vec load(const float* x) {
  Vec v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
inline void store(float* x, Vec v) { std::memcpy(x, &v, sizeof v); }
/// Past the caches, if x is on the boundary of a vector.
inline void stream(float* x, Vec v) {
#ifdef MEGABLOCKS_STREAM
  MEGABLOCKS_STREAM(x, v);
#else
  store(x, v);
#endif
}
void end_stream() {
#ifdef MEGABLOCKS_STREAM
  MEGABLOCKS_END_STREAM();
#endif
}
inline bool is_aligned(const float* x, int64_t stride) {
  return reinterpret_cast<uintptr_t>(x) % sizeof(Vec) == 0 && stride % kLanes == 0;
}
inline Vec as_floats(IntVec bits) {
  Vec v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}
inline Vec splat(float x) { return Vec{} + x; }

/// The last, shorter vector of a row; the lanes beyond are `fill`.
inline Vec load_part(const float* x, int64_t count, float fill = 0) {
  Vec v = splat(fill);
  std::memcpy(&v, x, count * sizeof(float));
  return v;
}
inline void store_part(float* x, Vec v, int64_t count) { std::memcpy(x, &v, count * sizeof(float)); }

inline float sum_of_lanes(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; i++) sum += v[i];
  return sum;
}

/// Calls f(i, count) for every vector of a row; count is less than kLanes for the last alone.
template <typename F>
inline void for_each_vector(int64_t size, F f) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) f(i, int64_t{kLanes});
  if (i < size) f(i, size - i);
}
inline Vec load_some(const float* x, int64_t count, float fill = 0) {
  return count == kLanes ? load(x) : load_part(x, count, fill);
}
inline void store_some(float* x, Vec v, int64_t count) {
  count == kLanes ? store(x, v) : store_part(x, v, count);
}

// ---- Products.

/// Where a row lies: at its place, where there are places.
inline int64_t place_of(int64_t row, const int32_t* places) {
  return places == nullptr ? row : places[row];
}

/// Which lane of two vectors, those of the second counted from kLanes on, an exchange puts at `lane` of one of its
/// two results.
template <int distance, bool upper>
constexpr int exchanged_lane(int lane) {
  const bool second = lane & distance;
  return upper ? (second ? kLanes + lane : lane + distance)
               : (second ? kLanes + lane - distance : lane);
}

// clang takes each lane as a constant, g++ a vector of them.
#ifdef __clang__
template <int distance, bool upper, int... lanes>
inline Vec shuffle(Vec a, Vec b, std::integer_sequence<int, lanes...>) {
  return __builtin_shufflevector(a, b, exchanged_lane<distance, upper>(lanes)...);
}
template <int distance, bool upper>
inline Vec exchange(Vec a, Vec b) {
  return shuffle<distance, upper>(a, b, std::make_integer_sequence<int, kLanes>());
}
#else
template <int distance, bool upper>
constexpr IntVec exchange_mask() {
  IntVec mask{};
  for (int lane = 0; lane < kLanes; lane++) mask[lane] = exchanged_lane<distance, upper>(lane);
  return mask;
}
template <int distance, bool upper>
inline Vec exchange(Vec a, Vec b) {
  return __builtin_shuffle(a, b, exchange_mask<distance, upper>());
}
#endif

/// Transposes kLanes vectors in place: rows become columns. One exchange for each bit of the index.
template <int distance = 1>
inline __attribute__((always_inline)) void transpose(Vec (&rows)[kLanes]) {
  if constexpr (distance < kLanes) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes; i++) {
      if (i & distance) continue;
      const Vec a = rows[i], b = rows[i + distance];
      rows[i] = exchange<distance, false>(a, b);
      rows[i + distance] = exchange<distance, true>(a, b);
    }
    transpose<distance * 2>(rows);
  }
}

/// out[l * out_stride + i] = x_i[l] for the first `count` (<= kLanes) of some rows and `size` columns l. Lanes
/// beyond `count` are written as zero.
inline void pack_transposed(
    int64_t count, int64_t size, const float* const (&x)[kLanes], float* out, int64_t out_stride) {
  int64_t l = 0;
  for (; l + kLanes <= size; l += kLanes) {
    Vec rows[kLanes];
    for (int i = 0; i < kLanes; i++) rows[i] = i < count ? load(x[i] + l) : Vec{};
    transpose(rows);
    for (int i = 0; i < kLanes; i++) store(out + (l + i) * out_stride, rows[i]);
  }
  for (; l < size; l++) {
    Vec row{};
    for (int64_t i = 0; i < count; i++) row[i] = x[i][l];
    store(out + l * out_stride, row);
  }
}

void pack_a(
    int64_t rows, int64_t k, const float* a, int64_t row_stride, int64_t column_stride,
    const int32_t* places, float* out) {
  static_assert(kTileRows <= kLanes, "a column of the tile is at most one vector");
  if (row_stride != 1 || places != nullptr) {
    const float* from[kLanes];
    for (int64_t i = 0; i < rows; i++) from[i] = a + place_of(i, places) * row_stride;
    // Columns are stored in ascending order: what a vector writes too much is written over.
    pack_transposed(rows, k, from, out, kTileRows);
  } else if (rows == kTileRows) {
    for (int64_t l = 0; l < k; l++) {
      std::memcpy(out + l * kTileRows, a + l * column_stride, kTileRows * sizeof(float));
    }
  } else {
    for (int64_t l = 0; l < k; l++) {
      std::memcpy(out + l * kTileRows, a + l * column_stride, rows * sizeof(float));
    }
  }
}

void pack_b(
    int64_t k, int64_t columns, const float* b, int64_t row_stride, int64_t column_stride,
    const int32_t* places, float* out) {
  for (int vector = 0; vector < kTileVectors; vector++) {
    const int64_t begin = vector * kLanes;
    const int64_t rest = columns - begin;
    const int64_t count = rest < 0 ? 0 : rest < kLanes ? rest : kLanes;
    float* to = out + begin;
    if (column_stride != 1) {
      const float* from[kLanes];
      for (int64_t i = 0; i < count; i++) from[i] = b + (begin + i) * column_stride;
      pack_transposed(count, k, from, to, kTileColumns);
    } else if (count == kLanes) {
      for (int64_t l = 0; l < k; l++) {
        store(to + l * kTileColumns, load(b + place_of(l, places) * row_stride + begin));
      }
    } else {
      for (int64_t l = 0; l < k; l++) {
        store(to + l * kTileColumns,
              load_part(b + place_of(l, places) * row_stride + begin, count));
      }
    }
  }
}

/// The whole tile stays in registers; `Rows` is fixed at compile time, so that none is computed in vain.
template <int Rows, bool fetch>
void multiply_rows(
    int64_t columns, int64_t k, const float* a, const float* b, float* c, int64_t c_stride,
    Store how, const Prefetch* prefetch) {
  Vec sums[Rows][kTileVectors] = {};
  for (int64_t l = 0; l < k; l++) {
    if constexpr (fetch) {
      const int64_t line = prefetch->first + l, row = line >> prefetch->shift;
      __builtin_prefetch(prefetch->rows + row * prefetch->stride +
                         (line - (row << prefetch->shift)) * kLineFloats);
    }
    Vec right[kTileVectors];
    for (int j = 0; j < kTileVectors; j++) right[j] = load(b + l * kTileColumns + j * kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; i++) {
      const Vec left = splat(a[l * kTileRows + i]);
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; j++) sums[i][j] += left * right[j];
    }
  }
  const bool add = how == Store::kAdd;
  const bool past_caches = how == Store::kStream && is_aligned(c, c_stride);
#pragma GCC unroll 16
  for (int i = 0; i < Rows; i++) {
#pragma GCC unroll 4
    for (int j = 0; j < kTileVectors; j++) {
      float* to = c + i * c_stride + j * kLanes;
      const int64_t rest = columns - j * kLanes;
      if (rest >= kLanes && past_caches) {
        stream(to, sums[i][j]);
      } else if (rest >= kLanes) {
        store(to, add ? load(to) + sums[i][j] : sums[i][j]);
      } else if (rest > 0) {
        store_part(to, add ? load_part(to, rest) + sums[i][j] : sums[i][j], rest);
      }
    }
  }
}

template <int Rows>
void choose_rows(
    int64_t rows, int64_t columns, int64_t k, const float* a, const float* b, float* c,
    int64_t c_stride, Store how, const Prefetch* prefetch) {
  if (rows == Rows) {
    (prefetch != nullptr ? multiply_rows<Rows, true> : multiply_rows<Rows, false>)(
        columns, k, a, b, c, c_stride, how, prefetch);
  } else if constexpr (Rows > 1) {
    choose_rows<Rows - 1>(rows, columns, k, a, b, c, c_stride, how, prefetch);
  }
}

void multiply_tile(
    int64_t rows, int64_t columns, int64_t k, const float* a, const float* b, float* c,
    int64_t c_stride, Store how, const Prefetch* prefetch) {
  choose_rows<kTileRows>(rows, columns, k, a, b, c, c_stride, how, prefetch);
}

// ---- Rows.

void scale(int64_t size, float factor, const float* x, float* out) {
  if (factor == 1) {
    std::memcpy(out, x, size * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < size; i++) out[i] = factor * x[i];
}

void add_scaled(int64_t size, float factor, const float* x, float* out) {
  for (int64_t i = 0; i < size; i++) out[i] += factor * x[i];
}

float dot(int64_t size, const float* x, const float* y) {
  Vec sums{};
  for_each_vector(size, [&](int64_t i, int64_t count) {
    sums += load_some(x + i, count) * load_some(y + i, count);
  });
  return sum_of_lanes(sums);
}

// ---- Exponentials, to about two units in the last place; NaN stays NaN.

/// exp(x); zero and infinity beyond what float32 has.
inline Vec exp_of(Vec x) {
  // ln 2 in two parts, so that x - n ln 2 keeps its last bits (Cody and Waite).
  constexpr float kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  // Adding and taking away 1.5 * 2^23 rounds to the nearest integer.
  constexpr float kRound = 12582912.0f;
  // Where the result is that already.
  x = x < -104.0f ? splat(-104.0f) : x;
  x = x > 89.0f ? splat(89.0f) : x;
  const Vec n = (x * kLog2E + kRound) - kRound;
  const Vec r = (x - n * kLn2High) - n * kLn2Low;
  // The minimax polynomial of Cephes' expf on [-ln 2 / 2, ln 2 / 2].
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // 2^n in two factors, as it may lie beyond what an exponent holds. NaN counts as 0 here, and the polynomial
  // keeps it.
  const IntVec whole = __builtin_convertvector(n == n ? n : Vec{}, IntVec);
  const IntVec half = whole >> 1;
  const IntVec first = (half + 127) << 23, second = (whole - half + 127) << 23;
  return p * as_floats(first) * as_floats(second);
}

inline Vec sigmoid(Vec x) { return 1.0f / (1.0f + exp_of(-x)); }
inline Vec tanh_of(Vec x) { return 2.0f * sigmoid(x + x) - 1.0f; }

/// Abramowitz and Stegun 7.1.26: to 1.5e-7, as tfjs' own kernels.
inline Vec erf_of(Vec x) {
  const Vec z = x < 0 ? -x : x;
  const Vec t = 1.0f / (1.0f + 0.3275911f * z);
  Vec p = splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vec y = 1.0f - p * t * exp_of(-(z * z));
  return x < 0 ? -y : y;
}

constexpr float kSqrt2OverPi = 0.7978845608f, kCubic = 0.044715f, kSqrtHalf = 0.70710678f;
constexpr float kOneOverSqrt2Pi = 0.39894228f;

inline Vec gelu_argument(Vec x) { return kSqrt2OverPi * (x + kCubic * (x * x * x)); }

/// f(x) and f'(x), which share most of their terms.
struct Activated {
  Vec value, derivative;
};

template <Activation kind>
inline __attribute__((always_inline)) Activated activated(Vec x) {
  switch (kind) {
    case Activation::kGeluNew: {
      const Vec t = tanh_of(gelu_argument(x));
      const Vec slope = x * (1.0f - t * t) * (kSqrt2OverPi * (1.0f + 3 * kCubic * (x * x)));
      return {0.5f * x * (1.0f + t), 0.5f * (1.0f + t + slope)};
    }
    case Activation::kGelu: {
      const Vec half = 0.5f * (1.0f + erf_of(x * kSqrtHalf));
      return {x * half, half + x * kOneOverSqrt2Pi * exp_of(-0.5f * (x * x))};
    }
    case Activation::kSilu: {
      const Vec s = sigmoid(x);
      return {x * s, s * (1.0f + x * (1.0f - s))};
    }
    case Activation::kRelu:
      return {x < 0 ? Vec{} : x, x <= 0 ? Vec{} : splat(1)};
  }
}

/// Calls f with the activation as a constant.
template <typename F>
inline void with_activation(Activation kind, F f) {
  switch (kind) {
    case Activation::kGeluNew:
      return f(std::integral_constant<Activation, Activation::kGeluNew>());
    case Activation::kGelu:
      return f(std::integral_constant<Activation, Activation::kGelu>());
    case Activation::kSilu:
      return f(std::integral_constant<Activation, Activation::kSilu>());
    case Activation::kRelu:
      return f(std::integral_constant<Activation, Activation::kRelu>());
  }
}

void activation(Activation kind, int64_t size, const float* x, float* out) {
  with_activation(kind, [&](auto constant) {
    for_each_vector(size, [&](int64_t i, int64_t count) {
      store_some(out + i, activated<constant()>(load_some(x + i, count)).value, count);
    });
  });
}

void activation_grad(Activation kind, int64_t size, const float* x, const float* dy, float* out) {
  with_activation(kind, [&](auto constant) {
    for_each_vector(size, [&](int64_t i, int64_t count) {
      const Vec slope = activated<constant()>(load_some(x + i, count)).derivative;
      store_some(out + i, slope * load_some(dy + i, count), count);
    });
  });
}

float scaled_activation_grad(
    Activation kind, int64_t size, const float* x, const float* dy, float factor, float* dx, float* y) {
  Vec sums{};
  with_activation(kind, [&](auto constant) {
    for_each_vector(size, [&](int64_t i, int64_t count) {
      const Activated f = activated<constant()>(load_some(x + i, count));
      const Vec dy_i = load_some(dy + i, count);
      // Beyond the end dy is zero, and f(0) finite.
      sums += f.value * dy_i;
      store_some(dx + i, factor * f.derivative * dy_i, count);
      store_some(y + i, factor * f.value, count);
    });
  });
  return sum_of_lanes(sums);
}

float max(int64_t size, const float* x) {
  Vec largest = splat(-INFINITY);
  for_each_vector(size, [&](int64_t i, int64_t count) {
    const Vec v = load_some(x + i, count, -INFINITY);
    // Not below the largest, or NaN: a NaN that came first stays.
    largest = v > largest || v != v ? v : largest;
  });
  float result = -INFINITY;
  for (int i = 0; i < kLanes; i++) {
    if (largest[i] > result || largest[i] != largest[i]) result = largest[i];
  }
  return result;
}

float sum_exp(int64_t size, const float* x, float shift) {
  Vec sums{};
  for_each_vector(size, [&](int64_t i, int64_t count) {
    const Vec e = exp_of(load_some(x + i, count) - shift);
    sums += count == kLanes ? e : load_part(reinterpret_cast<const float*>(&e), count);
  });
  return sum_of_lanes(sums);
}

float scaled_exp(int64_t size, const float* x, float shift, float factor, float* out) {
  Vec sums{};
  for_each_vector(size, [&](int64_t i, int64_t count) {
    const Vec e = exp_of(load_some(x + i, count) - shift);
    sums += count == kLanes ? e : load_part(reinterpret_cast<const float*>(&e), count);
    store_some(out + i, e * factor, count);
  });
  return sum_of_lanes(sums);
}

void softmax_grad(int64_t size, const float* p, float shift, float factor, float* dp) {
  for (int64_t i = 0; i < size; i++) dp[i] = factor * p[i] * (dp[i] - shift);
}

// ---- Layer normalization.

RowStatistics row_statistics(int64_t size, const float* x, float epsilon) {
  Vec sums{};
  for_each_vector(size, [&](int64_t i, int64_t count) { sums += load_some(x + i, count); });
  const float mean = sum_of_lanes(sums) / size;
  sums = Vec{};
  for_each_vector(size, [&](int64_t i, int64_t count) {
    const Vec d = load_some(x + i, count, mean) - mean;
    sums += d * d;
  });
  return {mean, 1 / std::sqrt(sum_of_lanes(sums) / size + epsilon)};
}

void normalize(
    int64_t size, const float* x, RowStatistics s, const float* gamma, const float* beta,
    float* out) {
  for (int64_t i = 0; i < size; i++) out[i] = (x[i] - s.mean) * s.scale * gamma[i] + beta[i];
}

/// With g = gamma dy and n the normalized row: dx = (g - mean(g) - n mean(g n)) scale. g goes through
/// memory, so that it is rounded: fused with the subtraction, equal terms would not cancel.
void normalize_grad(
    int64_t size, const float* x, RowStatistics s, const float* gamma, const float* dy, float* dx) {
  Vec sums{}, products{};
  for_each_vector(size, [&](int64_t i, int64_t count) {
    const Vec g = load_some(dy + i, count) * load_some(gamma + i, count);
    store_some(dx + i, g, count);
    sums += g;
    products += g * ((load_some(x + i, count) - s.mean) * s.scale);
  });
  const float mean_g = sum_of_lanes(sums) / size, mean_gn = sum_of_lanes(products) / size;
  for (int64_t i = 0; i < size; i++) {
    const float normal = (x[i] - s.mean) * s.scale;
    dx[i] = (dx[i] - mean_g - normal * mean_gn) * s.scale;
  }
}

void add_normalized(
    int64_t size, const float* x, RowStatistics s, const float* dy, float* dgamma) {
  for (int64_t i = 0; i < size; i++) dgamma[i] += dy[i] * ((x[i] - s.mean) * s.scale);
}

void adamw(
    int64_t size, const AdamWFactors& f, const float* value, const float* gradient,
    const float* first_moment, const float* second_moment, float* new_value,
    float* new_first_moment, float* new_second_moment) {
  for (int64_t i = 0; i < size; i++) {
    const float g = f.gradient_scale * gradient[i];
    const float first = f.beta1 * first_moment[i] + (1 - f.beta1) * g;
    const float second = f.beta2 * second_moment[i] + (1 - f.beta2) * g * g;
    new_first_moment[i] = first;
    new_second_moment[i] = second;
    const float deviation = std::sqrt(second * f.second_moment_scale) + f.epsilon;
    new_value[i] = f.decay * value[i] - f.step_size * first / deviation;
  }
}

}  // namespace

extern const Simd MEGABLOCKS_SIMD_TABLE;
const Simd MEGABLOCKS_SIMD_TABLE = {
    MEGABLOCKS_SIMD_NAME, kTileRows,      kTileColumns,   pack_a,         pack_b,
    multiply_tile,        end_stream,     scale,          add_scaled,     dot,
    activation,           activation_grad, scaled_activation_grad,        max,            sum_exp,
    scaled_exp,           softmax_grad,   row_statistics, normalize,      normalize_grad,
    add_normalized,       adamw,
};

}  // namespace megablocks
