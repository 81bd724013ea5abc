// What training needs, as every device runs it: the attributes of the ops, and the tensors of a call.
#pragma once

#include "op_kernel.h"

namespace megablocks {

struct ActivationAttrs {
  /// The place of the activation in gelu_new, gelu, silu, relu.
  int activation;
  explicit ActivationAttrs(Attributes& attrs)
      : activation(attrs.choice("activation", {"gelu_new", "gelu", "silu", "relu"})) {}
};
struct ActivationCall {
  Input<float> x;
  float* y;
  ActivationCall(Context& context, const ActivationAttrs&)
      : x(context.floats(0, "x")), y(context.output_floats(0, x.shape)) {}
};
struct ActivationGradCall {
  Input<float> x, dy;
  float* dx;
  ActivationGradCall(Context& context, const ActivationAttrs&)
      : x(context.floats(0, "x")),
        dy(context.floats(1, "dy", x.shape)),
        dx(context.output_floats(0, x.shape)) {}
};

/// table [vocabSize, size], indices [count] -> rows [count, size].
struct EmbeddingCall {
  Input<float> table;
  Input<int32_t> indices;
  int64_t vocab_size, size;
  float* rows;
  EmbeddingCall(Context& context, const NoAttrs&)
      : table(context.floats(0, "table", {-1, -1})),
        indices(context.ints(1, "indices", {-1})),
        vocab_size(table.dim(0)),
        size(table.dim(1)),
        rows(context.output_floats(0, {indices.size(), size})) {}
};
struct EmbeddingGradAttrs {
  int64_t vocab_size;
  explicit EmbeddingGradAttrs(Attributes& attrs) : vocab_size(attrs.integer("vocabSize", 0)) {}
};
struct EmbeddingGradCall {
  Input<float> dy;
  Input<int32_t> indices;
  int64_t size;
  float* dtable;
  EmbeddingGradCall(Context& context, const EmbeddingGradAttrs& attrs)
      : dy(context.floats(0, "dy", {-1, -1})),
        indices(context.ints(1, "indices", {dy.dim(0)})),
        size(dy.dim(1)),
        dtable(context.output_floats(0, {attrs.vocab_size, size})) {}
};

/// logits [rows, size], labels [rows] -> losses, log_sums [rows].
struct CrossEntropyCall {
  Input<float> logits;
  int64_t rows, size;
  Input<int32_t> labels;
  float *losses, *log_sums;
  CrossEntropyCall(Context& context, const NoAttrs&)
      : logits(context.floats(0, "logits", {-1, -1})),
        rows(logits.dim(0)),
        size(logits.dim(1)),
        labels(context.ints(1, "labels", {rows})),
        losses(context.output_floats(0, {rows})),
        log_sums(context.output_floats(1, {rows})) {}
};
struct CrossEntropyGradCall {
  Input<float> logits;
  int64_t rows, size;
  Input<int32_t> labels;
  Input<float> log_sums, dy;
  float* dlogits;
  CrossEntropyGradCall(Context& context, const NoAttrs&)
      : logits(context.floats(0, "logits", {-1, -1})),
        rows(logits.dim(0)),
        size(logits.dim(1)),
        labels(context.ints(1, "labels", {rows})),
        log_sums(context.floats(2, "log_sums", {rows})),
        dy(context.floats(3, "dy", {rows})),
        dlogits(context.output_floats(0, logits.shape)) {}
};

struct LayerNormAttrs {
  float epsilon;
  explicit LayerNormAttrs(Attributes& attrs) : epsilon(attrs.number("epsilon")) {}
};
/// x [rows, size], gamma, beta [size] -> y.
struct LayerNormCall {
  Input<float> x;
  int64_t rows, size;
  Input<float> gamma, beta;
  float* y;
  LayerNormCall(Context& context, const LayerNormAttrs&)
      : x(context.floats(0, "x", {-1, -1})),
        rows(x.dim(0)),
        size(x.dim(1)),
        gamma(context.floats(1, "gamma", {size})),
        beta(context.floats(2, "beta", {size})),
        y(context.output_floats(0, x.shape)) {}
};
struct LayerNormGradCall {
  Input<float> x;
  int64_t rows, size;
  Input<float> gamma, dy;
  float* dx;
  LayerNormGradCall(Context& context, const LayerNormAttrs&)
      : x(context.floats(0, "x", {-1, -1})),
        rows(x.dim(0)),
        size(x.dim(1)),
        gamma(context.floats(1, "gamma", {size})),
        dy(context.floats(2, "dy", x.shape)),
        dx(context.output_floats(0, x.shape)) {}
};
struct LayerNormGammaGradCall {
  Input<float> x;
  int64_t rows, size;
  Input<float> dy;
  float* dgamma;
  LayerNormGammaGradCall(Context& context, const LayerNormAttrs&)
      : x(context.floats(0, "x", {-1, -1})),
        rows(x.dim(0)),
        size(x.dim(1)),
        dy(context.floats(1, "dy", x.shape)),
        dgamma(context.output_floats(0, {size})) {}
};

struct AttentionAttrs {
  int64_t num_heads;
  explicit AttentionAttrs(Attributes& attrs) : num_heads(attrs.integer("numHeads", 1)) {}
};
/// qkv [batch, length, 3 H] -> [batch, length, H].
struct AttentionCall {
  Input<float> qkv;
  int64_t batch, length, num_heads, hidden_size, head_size;
  AttentionCall(Context& context, const AttentionAttrs& attrs)
      : qkv(context.floats(0, "qkv", {-1, -1, -1})),
        batch(qkv.dim(0)),
        length(qkv.dim(1)),
        num_heads(attrs.num_heads),
        hidden_size(qkv.dim(2) / 3) {
    context.require(qkv.dim(2) % (3 * num_heads) == 0, [&] {
      return "qkv must have a last axis of a multiple of 3 numHeads, " + std::to_string(3 * num_heads) +
             ", got shape " + text_of(qkv.shape);
    });
    head_size = hidden_size / num_heads;
  }
  Shape output_shape() const { return {batch, length, hidden_size}; }
};

/// The factors change with every step, so they are an input: TensorFlow keeps a kernel for each set of
/// attributes.
struct AdamWCall {
  Input<float> value, gradient, first, second, scale, factors;
  float* outputs[3];
  AdamWCall(Context& context, const NoAttrs&)
      : value(context.floats(0, "value")),
        gradient(context.floats(1, "gradient", value.shape)),
        first(context.floats(2, "firstMoment", value.shape)),
        second(context.floats(3, "secondMoment", value.shape)),
        scale(context.floats(4, "gradientScale")),
        factors(context.floats(5, "factors", {6})) {
    context.require(scale.size() == 1, [&] {
      return "gradientScale must have one element, got shape " + text_of(scale.shape);
    });
    for (int i = 0; i < 3; i++) outputs[i] = context.output_floats(i, value.shape);
  }
};

}  // namespace megablocks
