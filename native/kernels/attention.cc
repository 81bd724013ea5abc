// Causal attention, one head a task and one block of queries at a time: the T x T scores exist only as
// a block of rows of one head, and only up to the diagonal. The backward pass computes them again.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "kernels.h"
#include "mat_mul.h"
#include "training.h"

namespace megablocks {
namespace {

constexpr int64_t kQueryBlock = 64;

/// Where a head's parts lie.
struct Heads {
  int64_t batch, length, hidden_size, num_heads, head_size, qkv_stride;
  float scale;

  explicit Heads(const AttentionCall& call)
      : batch(call.batch),
        length(call.length),
        hidden_size(call.hidden_size),
        num_heads(call.num_heads),
        head_size(call.head_size),
        qkv_stride(3 * hidden_size),
        scale(1 / std::sqrt(static_cast<float>(head_size))) {}
  /// Where the queries of a head begin in qkv; keys and values follow, hidden_size apart.
  int64_t query(int64_t task) const {
    return task / num_heads * length * qkv_stride + task % num_heads * head_size;
  }
  /// Where the outputs of a head begin in y.
  int64_t output(int64_t task) const {
    return task / num_heads * length * hidden_size + task % num_heads * head_size;
  }
  /// Calls f(first, rows, seen) for every block of queries: `seen` positions are seen by the last.
  template <typename F>
  void for_each_block(F f) const {
    for (int64_t first = 0; first < length; first += kQueryBlock) {
      const int64_t rows = std::min(kQueryBlock, length - first);
      f(first, rows, first + rows);
    }
  }
};

Operand rows_of(const float* x, int64_t stride) { return {{x, stride}}; }
Operand transposed(const float* x, int64_t stride) { return {{x, stride}, true}; }

/// scores [rows, length] = softmax(scale q k') up to each row's own position, zero beyond.
void probabilities(
    const Heads& h, const float* query, int64_t first, int64_t rows, int64_t seen, float* scores) {
  multiply_here(rows, seen,
                {rows_of(query + first * h.qkv_stride, h.qkv_stride),
                 transposed(query + h.hidden_size, h.qkv_stride), h.head_size},
                {scores, h.length}, false);
  for (int64_t row = 0; row < rows; row++) {
    float* line = scores + row * h.length;
    const int64_t size = first + row + 1;
    simd().scale(size, h.scale, line, line);
    const float sum = simd().scaled_exp(size, line, simd().max(size, line), 1, line);
    simd().scale(size, 1 / sum, line, line);
    std::memset(line + size, 0, (seen - size) * sizeof(float));
  }
}

void causal_attention(Context& context, const AttentionAttrs& attrs) {
  const AttentionCall call(context, attrs);
  const Heads h(call);
  float* y = context.output_floats(0, call.output_shape());
  parallel_for(h.batch * h.num_heads, [&](int64_t task) {
    std::vector<float> scores(kQueryBlock * h.length);
    const float* query = call.qkv.data + h.query(task);
    const float* value = query + 2 * h.hidden_size;
    h.for_each_block([&](int64_t first, int64_t rows, int64_t seen) {
      probabilities(h, query, first, rows, seen, scores.data());
      multiply_here(rows, h.head_size,
                    {rows_of(scores.data(), h.length), rows_of(value, h.qkv_stride), seen},
                    {y + h.output(task) + first * h.hidden_size, h.hidden_size}, false);
    });
  });
}

void causal_attention_grad(Context& context, const AttentionAttrs& attrs) {
  const AttentionCall call(context, attrs);
  const Heads h(call);
  const Input<float> dy = context.floats(1, "dy", call.output_shape());
  float* dqkv = context.output_floats(0, call.qkv.shape);
  std::memset(dqkv, 0, call.qkv.size() * sizeof(float));
  parallel_for(h.batch * h.num_heads, [&](int64_t task) {
    std::vector<float> scores(kQueryBlock * h.length), grads(kQueryBlock * h.length);
    float *p = scores.data(), *dp = grads.data();
    const float* query = call.qkv.data + h.query(task);
    const float *key = query + h.hidden_size, *value = key + h.hidden_size;
    float* dquery = dqkv + h.query(task);
    float *dkey = dquery + h.hidden_size, *dvalue = dkey + h.hidden_size;
    const int64_t stride = h.qkv_stride, size = h.head_size;
    h.for_each_block([&](int64_t first, int64_t rows, int64_t seen) {
      const float* dy_block = dy.data + h.output(task) + first * h.hidden_size;
      probabilities(h, query, first, rows, seen, p);
      // dv += p' dy
      multiply_here(seen, size, {transposed(p, h.length), rows_of(dy_block, h.hidden_size), rows},
                    {dvalue, stride}, true);
      // dp = dy v'
      multiply_here(rows, seen, {rows_of(dy_block, h.hidden_size), transposed(value, stride), size},
                    {dp, h.length}, false);
      for (int64_t row = 0; row < rows; row++) {
        const int64_t own = first + row + 1;
        float* line = dp + row * h.length;
        const float* probability = p + row * h.length;
        simd().softmax_grad(own, probability, simd().dot(own, probability, line), h.scale, line);
        std::memset(line + own, 0, (seen - own) * sizeof(float));
      }
      // dq = ds k
      multiply_here(rows, size, {rows_of(dp, h.length), rows_of(key, stride), seen},
                    {dquery + first * stride, stride}, false);
      // dk += ds' q
      multiply_here(seen, size,
                    {transposed(dp, h.length), rows_of(query + first * stride, stride), rows},
                    {dkey, stride}, true);
    });
  });
}

}  // namespace

std::vector<KernelEntry> attention_kernels() {
  return {
      MEGABLOCKS_KERNEL(CausalAttention, AttentionAttrs, causal_attention),
      MEGABLOCKS_KERNEL(CausalAttentionGrad, AttentionAttrs, causal_attention_grad),
  };
}

}  // namespace megablocks
