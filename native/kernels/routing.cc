// Routing metadata: int32, exact. All of it is small beside the products, so one thread does.
#include <algorithm>
#include <cstring>

#include "kernels.h"
#include "routing.h"

namespace megablocks {
namespace {

// ---- Sort.

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
  const SortCall call(context, attrs);
  const int64_t size = call.keys.size();
  const int end_bit = attrs.end_bit, passes = (end_bit + kMaxBits - 1) / kMaxBits;
  const int width = (end_bit + passes - 1) / passes;
  std::vector<int32_t> scratch(passes == 1 ? 0 : 2 * size);
  const int32_t *from_keys = call.keys.data, *from_indices = nullptr;
  for (int pass = 0; pass < passes; pass++) {
    // The two alternate such that the last pass writes the result.
    const bool last = (passes - pass) % 2 == 1;
    int32_t* to_keys = last ? call.sorted : scratch.data();
    int32_t* to_indices = last ? call.permutation : scratch.data() + size;
    const int shift = pass * width;
    sort_by_digit(size, shift, std::min(width, end_bit - shift), from_keys, from_indices, to_keys,
                  to_indices);
    from_keys = to_keys;
    from_indices = to_indices;
  }
}

// ---- Histogram.

void histogram(Context& context, const HistogramAttrs& attrs) {
  const HistogramCall call(context, attrs);
  std::memset(call.counts, 0, call.vectors.batch * attrs.max * sizeof(int32_t));
  for (int64_t i = 0; i < call.x.size(); i++) {
    const int32_t value = call.x.data[i];
    if (value >= 0 && value < attrs.max) call.counts[i / call.vectors.size * attrs.max + value]++;
  }
}

// ---- Cumsum.

void cumsum(Context& context, const CumsumAttrs& attrs) {
  const CumsumCall call(context, attrs);
  const int64_t size = call.vectors.size;
  for (int64_t begin = 0; begin < call.x.size(); begin += size) {
    // Unsigned, so that an overflow wraps around, as it does in an Int32Array.
    uint32_t sum = 0;
    for (int64_t i = begin; i < begin + size; i++) {
      const uint32_t before = sum;
      sum += static_cast<uint32_t>(call.x.data[i]);
      call.sums[i] = static_cast<int32_t>(attrs.exclusive ? before : sum);
    }
  }
}

// ---- RoundUp, PaddedBins.

/// The least multiple that is not below the value.
int64_t round_up_value(int64_t value, int64_t multiple) {
  const int64_t quotient = value / multiple;
  return (value > quotient * multiple ? quotient + 1 : quotient) * multiple;
}

void round_up(Context& context, const RoundUpAttrs& attrs) {
  const RoundUpCall call(context, attrs);
  for (int64_t i = 0; i < call.x.size(); i++) {
    call.y[i] = static_cast<int32_t>(round_up_value(call.x.data[i], attrs.multiple));
  }
}

void padded_bins(Context& context, const PaddedBinsAttrs& attrs) {
  const PaddedBinsCall call(context, attrs);
  int64_t end = 0;
  for (int64_t expert = 0; expert < call.counts.size(); expert++) {
    end += round_up_value(call.counts.data[expert], attrs.block_size);
    call.bins[expert] = static_cast<int32_t>(end);
  }
}

// ---- Replicate and its gradient.

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
  const ReplicateCall call(context, attrs);
  const Vectors& vectors = call.vectors;
  std::memset(call.y, 0, vectors.batch * attrs.num_outputs * sizeof(int32_t));
  for (int64_t row = 0; row < vectors.batch; row++) {
    int32_t* line = call.y + row * attrs.num_outputs;
    for_each_bin(call.bins, attrs.num_outputs, [&](int64_t bin, int64_t begin, int64_t end) {
      std::fill(line + begin, line + end, call.x.data[row * vectors.size + bin]);
    });
  }
}

void replicate_grad(Context& context, const NoAttrs& attrs) {
  const ReplicateGradCall call(context, attrs);
  const Vectors& vectors = call.vectors;
  const int64_t num_bins = call.bins.size();
  std::fill(call.dx, call.dx + vectors.batch * num_bins, 0.0f);
  for (int64_t row = 0; row < vectors.batch; row++) {
    const float* line = call.dy.data + row * vectors.size;
    for_each_bin(call.bins, vectors.size, [&](int64_t bin, int64_t begin, int64_t end) {
      double sum = 0;
      for (int64_t i = begin; i < end; i++) sum += line[i];
      call.dx[row * num_bins + bin] = static_cast<float>(sum);
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
