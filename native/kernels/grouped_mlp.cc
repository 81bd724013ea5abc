// The experts of a dropless mixture, whole. Rows are gathered where a product packs them and scattered where one
// stores them, so that no permuted copy is made; a weight on what the second product reads is one on what it
// gives. The pre-activations are saved.
#include "grouped_mlp.h"

#include <cstring>

#include "../parallel.h"
#include "../simd/simd.h"
#include "grouped_products.h"
#include "kernels.h"

namespace megablocks {
namespace {

/// Rows that a task computes at the least.
constexpr int64_t kGrain = 4;

/// One pass over the experts.
class Pass {
 public:
  Pass(Context& context, const Experts& experts, const GroupedMlpAttrs& attrs)
      : experts_(experts),
        rows_{experts.bins.data, experts.num_experts, experts.num_copies},
        activation_(static_cast<Activation>(attrs.activation)),
        top_k_(attrs.top_k),
        context_(context) {
    // Every row of a result is written once.
    std::vector<bool> seen(experts.num_copies);
    tokens_.reserve(experts.num_copies);
    for (int64_t i = 0; i < experts.num_copies; i++) {
      const int64_t copy = experts.indices.data[i];
      context.require(copy >= 0 && copy < experts.num_copies && !seen[copy], [&] {
        return "indices must hold each copy once, got " + std::to_string(copy) + " at " + std::to_string(i);
      });
      seen[copy] = true;
      tokens_.push_back(static_cast<int32_t>(copy / top_k_));
    }
  }

  int64_t num_rows() const { return experts_.num_copies; }
  int64_t ffn() const { return experts_.ffn_hidden_size; }
  float* scratch(int64_t rows, int64_t columns) {
    return static_cast<float*>(context_.scratch(rows * columns * sizeof(float)));
  }

  /// The rows of tokens [T, H] times w' -> [N, F].
  void up(const float* tokens, const float* w, float* out) const {
    rows_times_matrices(rows_, of_copies(tokens), w, true, {out, ffn()});
  }

  /// Hidden rows [N, F] times w, summed over the copies of each token -> [T, H].
  void down(const float* hidden, const float* w, float* out) {
    const int64_t size = experts_.hidden_size;
    if (size == 0) return;
    float* const copies = top_k_ == 1 ? out : scratch(num_rows(), size);
    rows_times_matrices(rows_, {hidden, ffn()}, w, false, {copies, size, experts_.indices.data});
    if (top_k_ == 1) return;
    parallel_ranges(experts_.num_tokens, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; token++) {
        const float* const from = copies + token * top_k_ * size;
        std::memcpy(out + token * size, from, size * sizeof(float));
        for (int64_t k = 1; k < top_k_; k++) simd().add_scaled(size, 1, from + k * size, out + token * size);
      }
    });
  }

  /// The gradient of the matrices: hidden rows [N, F] and those of tokens [T, H] -> [E, F, H].
  void of_matrices(const float* hidden, const float* tokens, float* out) const {
    rows_times_rows(rows_, {hidden, ffn()}, of_copies(tokens), out);
  }

  /// linear [N, F] -> f(linear) times the weight of each copy.
  void activate(const float* linear, float* hidden) const {
    for_each_row([&](int64_t row, int64_t copy) {
      float* const to = hidden + row * ffn();
      const float weight = experts_.weights.data[copy];
      simd().activation(activation_, ffn(), linear + row * ffn(), to);
      if (weight != 1) {
        for (int64_t i = 0; i < ffn(); i++) to[i] *= weight;
      }
    });
  }

  /// The same, of the gradient of f(linear) without weight: it becomes that of linear; and that of the weights.
  void activate_grad(const float* linear, float* gradient, float* hidden, float* dweights) const {
    for_each_row([&](int64_t row, int64_t copy) {
      const int64_t at = row * ffn();
      dweights[copy] = simd().scaled_activation_grad(activation_, ffn(), linear + at, gradient + at,
                                                     experts_.weights.data[copy], gradient + at, hidden + at);
    });
  }

 private:
  /// The token of each row.
  Rows<const float> of_copies(const float* tokens) const {
    return {tokens, experts_.hidden_size, tokens_.data()};
  }

  template <typename F>
  void for_each_row(F f) const {
    parallel_ranges(num_rows(), kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; row++) f(row, experts_.indices.data[row]);
    });
  }

  const Experts& experts_;
  const ExpertRows rows_;
  const Activation activation_;
  const int64_t top_k_;
  Context& context_;
  /// By row, the number of its token.
  std::vector<int32_t> tokens_;
};

void grouped_mlp(Context& context, const GroupedMlpAttrs& attrs) {
  const GroupedMlpCall call(context, attrs);
  const Experts& experts = call.experts;
  Pass pass(context, experts, attrs);
  float* const linear = context.output_floats(1, {pass.num_rows(), pass.ffn()});
  float* const hidden = pass.scratch(pass.num_rows(), pass.ffn());
  pass.up(experts.x.data, experts.w1.data, linear);
  pass.activate(linear, hidden);
  pass.down(hidden, experts.w2.data, call.y);
}

void grouped_mlp_grad(Context& context, const GroupedMlpAttrs& attrs) {
  const GroupedMlpGradCall call(context, attrs);
  const Experts& experts = call.experts;
  Pass pass(context, experts, attrs);
  const Input<float> linear = call.saved(context, {pass.num_rows(), pass.ffn()});
  float* const gradient = pass.scratch(pass.num_rows(), pass.ffn());
  float* const hidden = pass.scratch(pass.num_rows(), pass.ffn());
  pass.up(call.dy.data, experts.w2.data, gradient);
  pass.activate_grad(linear.data, gradient, hidden, call.dweights);
  pass.of_matrices(hidden, call.dy.data, call.dw2);
  pass.of_matrices(gradient, experts.x.data, call.dw1);
  pass.down(gradient, experts.w1.data, call.dx);
}

}  // namespace

std::vector<KernelEntry> grouped_mlp_kernels() {
  return {
      MEGABLOCKS_KERNEL(GroupedMlp, GroupedMlpAttrs, grouped_mlp),
      MEGABLOCKS_KERNEL(GroupedMlpGrad, GroupedMlpAttrs, grouped_mlp_grad),
  };
}

}  // namespace megablocks
