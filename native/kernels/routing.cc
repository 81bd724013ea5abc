// Routing metadata: int32, exact. All of it is small beside the products, so one thread does.
#include <algorithm>
#include <cstring>

#include "kernels.h"

namespace megablocks {
namespace {

// ---- Sort: keys [N] -> sorted [N], permutation [N].

struct SortAttrs {
  int64_t end_bit;
  explicit SortAttrs(Attributes& attrs) : end_bit(attrs.integer("endBit")) {
    if (end_bit < 1 || end_bit > 32) {
      throw InvalidInput("endBit must be from 1 to 32, got " + std::to_string(end_bit));
    }
  }
};

/// One pass of a stable radix sort, by `bits` bits from `shift` on.
void sort_by_digit(
    int64_t size, int shift, int bits, const int32_t* keys, const int32_t* indices, int32_t* keys_out,
    int32_t* indices_out) {
  const uint32_t mask = (uint32_t{1} << bits) - 1;
  // With the sign bit flipped, negative keys come before the others.
  const uint32_t flip = shift + bits == 32 ? uint32_t{1} << (bits - 1) : 0;
  const auto digit = [&](int32_t key) { return ((static_cast<uint32_t>(key) >> shift) & mask) ^ flip; };
  std::vector<int64_t> next(size_t{1} << bits);
  for (int64_t i = 0; i < size; i++) next[digit(keys[i])]++;
  int64_t begin = 0;
  for (int64_t& count : next) {
    const int64_t end = begin + count;
    count = begin;
    begin = end;
  }
  for (int64_t i = 0; i < size; i++) {
    const int64_t position = next[digit(keys[i])]++;
    keys_out[position] = keys[i];
    indices_out[position] = indices == nullptr ? static_cast<int32_t>(i) : indices[i];
  }
}

void sort(Context& context, const SortAttrs& attrs) {
  // Wider digits save passes over the keys; their counts still fit the first-level cache.
  constexpr int kMaxBits = 11;
  const Input<int32_t> keys = context.ints(0, "keys", {-1});
  const int64_t size = keys.size();
  int32_t* sorted = context.output_ints(0, keys.shape);
  int32_t* permutation = context.output_ints(1, keys.shape);
  const int end_bit = attrs.end_bit, passes = (end_bit + kMaxBits - 1) / kMaxBits;
  const int width = (end_bit + passes - 1) / passes;
  std::vector<int32_t> scratch(passes == 1 ? 0 : 2 * size);
  const int32_t *from_keys = keys.data, *from_indices = nullptr;
  for (int pass = 0; pass < passes; pass++) {
    // The two alternate such that the last pass writes the result.
    const bool last = (passes - pass) % 2 == 1;
    int32_t* to_keys = last ? sorted : scratch.data();
    int32_t* to_indices = last ? permutation : scratch.data() + size;
    const int shift = pass * width;
    sort_by_digit(size, shift, std::min(width, end_bit - shift), from_keys, from_indices, to_keys,
                  to_indices);
    from_keys = to_keys;
    from_indices = to_indices;
  }
}

// ---- Histogram: x [N] or [batch, N] -> counts [max] or [batch, max].

struct HistogramAttrs {
  int64_t max;
  explicit HistogramAttrs(Attributes& attrs) : max(attrs.integer("max")) {}
};

/// Of a vector or a batch of vectors: how many, and of what size.
struct Vectors {
  int64_t batch, size;
  Vectors(Context& context, const Shape& shape, const char* name) {
    context.require(shape.size() == 1 || shape.size() == 2,
                    std::string(name) + " must have rank 1 or 2, got " + text_of(shape));
    batch = shape.size() == 1 ? 1 : shape[0];
    size = shape.back();
  }
};

/// The shape with another last axis.
Shape with_last(Shape shape, int64_t size) {
  shape.back() = size;
  return shape;
}

void histogram(Context& context, const HistogramAttrs& attrs) {
  const Input<int32_t> x = context.ints(0, "x");
  const Vectors vectors(context, x.shape, "x");
  int32_t* out = context.output_ints(0, with_last(x.shape, attrs.max));
  std::memset(out, 0, vectors.batch * attrs.max * sizeof(int32_t));
  for (int64_t i = 0; i < x.size(); i++) {
    const int32_t value = x.data[i];
    if (value >= 0 && value < attrs.max) out[i / vectors.size * attrs.max + value]++;
  }
}

// ---- Cumsum: x [N] or [batch, N] -> sums along the last axis.

struct CumsumAttrs {
  bool exclusive;
  explicit CumsumAttrs(Attributes& attrs) : exclusive(attrs.boolean("exclusive")) {}
};

void cumsum(Context& context, const CumsumAttrs& attrs) {
  const Input<int32_t> x = context.ints(0, "x");
  const Vectors vectors(context, x.shape, "x");
  int32_t* out = context.output_ints(0, x.shape);
  for (int64_t begin = 0; begin < x.size(); begin += vectors.size) {
    // Unsigned, so that an overflow wraps around, as it does in an Int32Array.
    uint32_t sum = 0;
    for (int64_t i = begin; i < begin + vectors.size; i++) {
      const uint32_t before = sum;
      sum += static_cast<uint32_t>(x.data[i]);
      out[i] = static_cast<int32_t>(attrs.exclusive ? before : sum);
    }
  }
}

// ---- RoundUp, PaddedBins.

struct RoundUpAttrs {
  int64_t multiple;
  explicit RoundUpAttrs(Attributes& attrs) : multiple(attrs.integer("multiple")) {
    if (multiple < 1) {
      throw InvalidInput("multiple must be at least 1, got " + std::to_string(multiple));
    }
  }
};

/// The least multiple that is not below the value.
int64_t round_up_value(int64_t value, int64_t multiple) {
  const int64_t quotient = value / multiple;
  return (value > quotient * multiple ? quotient + 1 : quotient) * multiple;
}

void round_up(Context& context, const RoundUpAttrs& attrs) {
  const Input<int32_t> x = context.ints(0, "x");
  int32_t* out = context.output_ints(0, x.shape);
  for (int64_t i = 0; i < x.size(); i++) {
    out[i] = static_cast<int32_t>(round_up_value(x.data[i], attrs.multiple));
  }
}

struct PaddedBinsAttrs {
  int64_t block_size;
  explicit PaddedBinsAttrs(Attributes& attrs) : block_size(attrs.integer("blockSize")) {
    if (block_size < 1) {
      throw InvalidInput("blockSize must be at least 1, got " + std::to_string(block_size));
    }
  }
};

void padded_bins(Context& context, const PaddedBinsAttrs& attrs) {
  const Input<int32_t> counts = context.ints(0, "tokensPerExpert", {-1});
  int32_t* out = context.output_ints(0, counts.shape);
  int64_t end = 0;
  for (int64_t expert = 0; expert < counts.size(); expert++) {
    end += round_up_value(counts.data[expert], attrs.block_size);
    out[expert] = static_cast<int32_t>(end);
  }
}

// ---- Replicate: x [E] or [batch, E], bins [E] -> element i repeated up to bins[i].

struct ReplicateAttrs {
  int64_t num_outputs;
  explicit ReplicateAttrs(Attributes& attrs) : num_outputs(attrs.integer("numOutputs")) {}
};

/// Calls f(bin, begin, end) for every bin that is not empty, within 0 .. size.
template <typename F>
void for_each_bin(const Input<int32_t>& bins, int64_t size, F f) {
  int64_t begin = 0;
  for (int64_t bin = 0; bin < bins.size(); bin++) {
    const int64_t end = std::min<int64_t>(bins.data[bin], size);
    if (begin < end) f(bin, begin, end);
    begin = std::max<int64_t>(bins.data[bin], 0);
  }
}

void replicate(Context& context, const ReplicateAttrs& attrs) {
  TF_DataType type;
  const Input<int32_t> x = context.words(0, "x", &type);
  const Vectors vectors(context, x.shape, "x");
  const Input<int32_t> bins = context.ints(1, "bins", {vectors.size});
  int32_t* out = context.output_words(0, with_last(x.shape, attrs.num_outputs), type);
  std::memset(out, 0, vectors.batch * attrs.num_outputs * sizeof(int32_t));
  for (int64_t row = 0; row < vectors.batch; row++) {
    int32_t* line = out + row * attrs.num_outputs;
    for_each_bin(bins, attrs.num_outputs, [&](int64_t bin, int64_t begin, int64_t end) {
      std::fill(line + begin, line + end, x.data[row * vectors.size + bin]);
    });
  }
}

void replicate_grad(Context& context, const NoAttrs&) {
  const Input<float> dy = context.floats(0, "dy");
  const Vectors vectors(context, dy.shape, "dy");
  const Input<int32_t> bins = context.ints(1, "bins", {-1});
  float* out = context.output_floats(0, with_last(dy.shape, bins.size()));
  std::fill(out, out + vectors.batch * bins.size(), 0.0f);
  for (int64_t row = 0; row < vectors.batch; row++) {
    const float* line = dy.data + row * vectors.size;
    for_each_bin(bins, vectors.size, [&](int64_t bin, int64_t begin, int64_t end) {
      double sum = 0;
      for (int64_t i = begin; i < end; i++) sum += line[i];
      out[row * bins.size() + bin] = static_cast<float>(sum);
    });
  }
}

}  // namespace

std::vector<KernelEntry> routing_kernels() {
  return {
      MEGABLOCKS_KERNEL(Sort, SortAttrs, sort),
      MEGABLOCKS_KERNEL(Histogram, HistogramAttrs, histogram),
      MEGABLOCKS_KERNEL(Cumsum, CumsumAttrs, cumsum),
      MEGABLOCKS_KERNEL(RoundUp, RoundUpAttrs, round_up),
      MEGABLOCKS_KERNEL(PaddedBins, PaddedBinsAttrs, padded_bins),
      MEGABLOCKS_KERNEL(Replicate, ReplicateAttrs, replicate),
      MEGABLOCKS_KERNEL(ReplicateGrad, NoAttrs, replicate_grad),
  };
}

}  // namespace megablocks
