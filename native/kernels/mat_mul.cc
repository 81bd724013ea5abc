#include "mat_mul.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "../parallel.h"
#include "../simd/simd.h"

namespace megablocks {
namespace {

// A thread computes one tile of a result at a time: it packs the parts of both operands that meet in the
// tile, kMaxDepth of the inner size at a time, into memory of its own that stays in the second-level
// cache (384 x 512 floats of a; of b, one panel at a time).
constexpr int64_t kMaxRows = 384;
constexpr int64_t kMaxColumns = 1024;
constexpr int64_t kMaxDepth = 512;
/// Smaller tiles than these are packed more than multiplied.
constexpr int64_t kMinRows = 48;
constexpr int64_t kMinColumns = 128;
/// Results as large as this are not in the caches when they are read.
constexpr int64_t kStreamedBytes = 16 << 20;
constexpr int64_t kLineFloats = 16;
/// What a packed vector may write beyond its panel, in floats.
constexpr int64_t kSlack = 16;

constexpr int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }
/// The largest power of two that is not above a number, as its exponent; 0 for less than one.
constexpr int log2_floor(int64_t x) {
  int exponent = 0;
  while (x >> (exponent + 1)) exponent++;
  return exponent;
}
constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_divide(a, b) * b; }

/// Memory of a thread for packed panels, on the boundary of a cache line.
class Scratch {
 public:
  float* get(int64_t size) {
    if (size > size_) {
      memory_.reset();
      size_ = 0;
      void* memory = nullptr;
      if (posix_memalign(&memory, 64, size * sizeof(float)) != 0) {
        throw std::bad_alloc();
      }
      memory_.reset(static_cast<float*>(memory));
      size_ = size;
    }
    return memory_.get();
  }

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  std::unique_ptr<float, Free> memory_;
  int64_t size_ = 0;
};
thread_local Scratch a_scratch, b_scratch;

/// Brings the rows of one tile to where they lie.
void place(int64_t rows, int64_t columns, const float* tile, const Rows<float>& to, Store how) {
  const Simd& s = simd();
  for (int64_t i = 0; i < rows; i++) {
    (how == Store::kAdd ? s.add_scaled : s.scale)(columns, 1, tile + i * s.tile_columns, to.row(i));
  }
}

/// c [m, n] (+)= a b for m and n that fit the scratch; to be streamed, it must be of one part of the depth.
void multiply_tile_of(int64_t m, int64_t n, const Term& term, const Rows<float>& result, Store how) {
  const Simd& s = simd();
  const int64_t row_panels = ceil_divide(m, s.tile_rows);
  const int64_t column_panels = ceil_divide(n, s.tile_columns);
  for (int64_t begin = 0; begin < term.k; begin += kMaxDepth) {
    const int64_t depth = std::min(kMaxDepth, term.k - begin);
    const Store of_part = begin > 0 ? Store::kAdd : how;
    float* packed_a = a_scratch.get(row_panels * s.tile_rows * depth + kSlack);
    float* packed_b = b_scratch.get(s.tile_columns * (depth + s.tile_rows) + kSlack);
    float* placed_rows = packed_b + s.tile_columns * depth;
    // Panels of rows are equally high, so that none is left with a row or two.
    const auto first_row = [&](int64_t panel) { return m * panel / row_panels; };
    for (int64_t i = 0; i < row_panels; i++) {
      const Operand a = term.a.from(first_row(i), begin);
      s.pack_a(first_row(i + 1) - first_row(i), depth, a.rows.data, a.row_stride(), a.column_stride(),
               a.rows.places, packed_a + i * s.tile_rows * depth);
    }
    for (int64_t j = 0; j < column_panels; j++) {
      const int64_t column = j * s.tile_columns;
      const int64_t columns = std::min(s.tile_columns, n - column);
      const Operand b = term.b.from(begin, column);
      s.pack_b(depth, columns, b.rows.data, b.row_stride(), b.column_stride(), b.rows.places, packed_b);
      // The next panel comes while this one is multiplied: a matrix that is used once lies in memory.
      const auto [next, along_k] = term.b.from(begin, column + s.tile_columns);
      Prefetch prefetch{next.data, next.stride,
                        log2_floor((along_k ? depth : s.tile_columns) / kLineFloats), 0};
      const bool is_next = j + 1 < column_panels && next.places == nullptr;
      const int64_t lines = is_next ? (along_k ? s.tile_columns : depth) << prefetch.shift : 0;
      for (int64_t i = 0; i < row_panels; i++) {
        const bool fetch = prefetch.first < lines;
        const int64_t rows = first_row(i + 1) - first_row(i);
        const Rows<float> to = result.from(first_row(i), column);
        // Rows that lie elsewhere are brought there from a tile of their own: what multiplies knows of none.
        float* const c = to.places == nullptr ? to.data : placed_rows;
        s.multiply_tile(rows, columns, depth, packed_a + i * s.tile_rows * depth, packed_b, c,
                        to.places == nullptr ? to.stride : s.tile_columns,
                        to.places == nullptr ? of_part : Store::kSet, fetch ? &prefetch : nullptr);
        if (to.places != nullptr) place(rows, columns, placed_rows, to, of_part);
        prefetch.first += depth;
      }
    }
  }
}

void zero(int64_t m, int64_t n, const Rows<float>& result) {
  for (int64_t i = 0; i < m; i++) std::memset(result.row(i), 0, n * sizeof(float));
}

/// Whether nothing is added to a tile once it is stored.
bool is_of_one_part(const Product& p, const std::vector<Term>& terms) {
  return p.num_terms == 1 && terms[p.first_term].k <= kMaxDepth;
}

/// The tiles into which one product is split.
struct Tiles {
  int64_t rows, columns;
  int64_t across(const Product& p) const { return ceil_divide(p.n, columns); }
  int64_t count(const Product& p) const { return ceil_divide(p.m, rows) * across(p); }
};

/// Tiles that are as large as the cache allows, equally large within a product, and enough of them to
/// keep every thread busy to the end.
std::vector<Tiles> choose_tiles(const std::vector<Product>& products) {
  int64_t max_rows = kMaxRows, max_columns = kMaxColumns;
  const int64_t wanted = num_threads() == 1 ? 1 : 8 * num_threads();
  for (;;) {
    std::vector<Tiles> tiles;
    int64_t count = 0;
    for (const Product& p : products) {
      const int64_t down = std::max<int64_t>(1, ceil_divide(p.m, max_rows));
      const int64_t across = std::max<int64_t>(1, ceil_divide(p.n, max_columns));
      tiles.push_back({std::max<int64_t>(1, ceil_divide(p.m, down)),
                       round_up(std::max<int64_t>(1, ceil_divide(p.n, across)), simd().tile_columns)});
      count += tiles.back().count(p);
    }
    if (count >= wanted || (max_rows <= kMinRows && max_columns <= kMinColumns)) {
      return tiles;
    }
    (max_columns > kMinColumns && max_columns >= max_rows ? max_columns : max_rows) /= 2;
    max_rows = std::max(max_rows, kMinRows);
  }
}

}  // namespace

void multiply(const std::vector<Product>& products, const std::vector<Term>& terms) {
  const std::vector<Tiles> tiles = choose_tiles(products);
  std::vector<int64_t> ends;
  int64_t count = 0, bytes = 0;
  for (size_t i = 0; i < products.size(); i++) {
    bytes += sizeof(float) * products[i].m * products[i].n;
    ends.push_back(count += products[i].m > 0 && products[i].n > 0 ? tiles[i].count(products[i]) : 0);
  }
  parallel_for(count, [&](int64_t task) {
    const size_t i = std::upper_bound(ends.begin(), ends.end(), task) - ends.begin();
    const Product& p = products[i];
    const Tiles& t = tiles[i];
    const int64_t tile = task - (i == 0 ? 0 : ends[i - 1]);
    const int64_t row = tile / t.across(p) * t.rows, column = tile % t.across(p) * t.columns;
    const int64_t m = std::min(t.rows, p.m - row), n = std::min(t.columns, p.n - column);
    const Rows<float> result = p.c.from(row, column);
    const bool is_streamed = bytes >= kStreamedBytes && is_of_one_part(p, terms);
    Store how = is_streamed ? Store::kStream : Store::kSet;
    for (int64_t l = p.first_term; l < p.first_term + p.num_terms; l++) {
      const Term& term = terms[l];
      if (term.k > 0) {
        multiply_tile_of(m, n, {term.a.from(row, 0), term.b.from(0, column), term.k}, result, how);
        how = Store::kAdd;
      }
    }
    if (how != Store::kAdd) {
      zero(m, n, result);
    } else if (is_streamed) {
      simd().end_stream();
    }
  });
}

void multiply_here(int64_t m, int64_t n, const Term& term, Rows<float> c, bool accumulate) {
  if (term.k == 0 && !accumulate) {
    zero(m, n, c);
  }
  for (int64_t row = 0; row < m; row += kMaxRows) {
    for (int64_t column = 0; column < n; column += kMaxColumns) {
      multiply_tile_of(std::min(kMaxRows, m - row), std::min(kMaxColumns, n - column),
                       {term.a.from(row, 0), term.b.from(0, column), term.k},
                       c.from(row, column), accumulate ? Store::kAdd : Store::kSet);
    }
  }
}

}  // namespace megablocks
