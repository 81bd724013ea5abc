// What training needs, on the GPU.
#include "../training.h"

#include "../kernels.h"
#include "gpu.h"

namespace megablocks {
namespace {

void activation(Context& context, const ActivationAttrs& attrs) {
  const ActivationCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_activation(attrs.activation, call.x.data, call.x.size(), call.y, stream);
  });
}

void activation_grad(Context& context, const ActivationAttrs& attrs) {
  const ActivationGradCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_activation_grad(attrs.activation, call.x.data, call.dy.data, call.x.size(),
                                      call.dx, stream);
  });
}

void embedding(Context& context, const NoAttrs& attrs) {
  const EmbeddingCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_embedding(call.table.data, call.indices.data, call.indices.size(),
                                call.vocab_size, call.size, call.rows, stream);
  });
}

void embedding_grad(Context& context, const EmbeddingGradAttrs& attrs) {
  const EmbeddingGradCall call(context, attrs);
  Gpu gpu(context);
  const int64_t count = call.indices.size();
  const size_t bytes = megablocks_embedding_grad_workspace(count);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_embedding_grad(call.dy.data, call.indices.data, count, attrs.vocab_size, call.size,
                                     call.dtable, workspace, bytes, stream);
  });
}

void cross_entropy(Context& context, const NoAttrs& attrs) {
  const CrossEntropyCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_cross_entropy(call.logits.data, call.labels.data, call.rows, call.size,
                                    call.losses, call.log_sums, stream);
  });
}

void cross_entropy_grad(Context& context, const NoAttrs& attrs) {
  const CrossEntropyGradCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_cross_entropy_grad(call.logits.data, call.labels.data, call.log_sums.data,
                                         call.dy.data, call.rows, call.size, call.dlogits, stream);
  });
}

void layer_norm(Context& context, const LayerNormAttrs& attrs) {
  const LayerNormCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_layer_norm(call.x.data, call.gamma.data, call.beta.data, call.rows, call.size,
                                 attrs.epsilon, call.y, stream);
  });
}

void layer_norm_grad(Context& context, const LayerNormAttrs& attrs) {
  const LayerNormGradCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_layer_norm_grad(call.x.data, call.gamma.data, call.dy.data, call.rows, call.size,
                                      attrs.epsilon, call.dx, stream);
  });
}

void layer_norm_gamma_grad(Context& context, const LayerNormAttrs& attrs) {
  const LayerNormGammaGradCall call(context, attrs);
  Gpu gpu(context);
  gpu.run(megablocks_layer_norm_gamma_grad_workspace(call.rows), [&](void* workspace, cudaStream_t stream) {
    return megablocks_layer_norm_gamma_grad(call.x.data, call.dy.data, call.rows, call.size,
                                            attrs.epsilon, call.dgamma, workspace, stream);
  });
}

void causal_attention(Context& context, const AttentionAttrs& attrs) {
  const AttentionCall call(context, attrs);
  float* y = context.output_floats(0, call.output_shape());
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_causal_attention(call.qkv.data, call.batch, call.length, call.num_heads,
                                       call.head_size, y, stream);
  });
}

void causal_attention_grad(Context& context, const AttentionAttrs& attrs) {
  const AttentionCall call(context, attrs);
  const Input<float> dy = context.floats(1, "dy", call.output_shape());
  float* dqkv = context.output_floats(0, call.qkv.shape);
  Gpu gpu(context);
  const size_t bytes = megablocks_causal_attention_grad_workspace(call.batch, call.length, call.num_heads);
  gpu.run(bytes, [&](void* workspace, cudaStream_t stream) {
    return megablocks_causal_attention_grad(call.qkv.data, dy.data, call.batch, call.length,
                                            call.num_heads, call.head_size, dqkv, workspace, stream);
  });
}

void adamw(Context& context, const NoAttrs& attrs) {
  const AdamWCall call(context, attrs);
  Gpu(context).run([&](cudaStream_t stream) {
    return megablocks_adamw(reinterpret_cast<const MegaBlocksAdamWFactors*>(call.factors.data),
                            call.value.data, call.gradient.data, call.first.data, call.second.data,
                            call.scale.data, call.value.size(), call.outputs[0], call.outputs[1],
                            call.outputs[2], stream);
  });
}

}  // namespace

std::vector<KernelEntry> cuda_training_kernels() {
  return {
      MEGABLOCKS_KERNEL(Activation, ActivationAttrs, activation),
      MEGABLOCKS_KERNEL(ActivationGrad, ActivationAttrs, activation_grad),
      MEGABLOCKS_KERNEL(Embedding, NoAttrs, embedding),
      MEGABLOCKS_KERNEL(EmbeddingGrad, EmbeddingGradAttrs, embedding_grad),
      MEGABLOCKS_KERNEL(SparseSoftmaxCrossEntropy, NoAttrs, cross_entropy),
      MEGABLOCKS_KERNEL(SparseSoftmaxCrossEntropyGrad, NoAttrs, cross_entropy_grad),
      MEGABLOCKS_KERNEL(LayerNorm, LayerNormAttrs, layer_norm),
      MEGABLOCKS_KERNEL(LayerNormGrad, LayerNormAttrs, layer_norm_grad),
      MEGABLOCKS_KERNEL(LayerNormGammaGrad, LayerNormAttrs, layer_norm_gamma_grad),
      MEGABLOCKS_KERNEL(CausalAttention, AttentionAttrs, causal_attention),
      MEGABLOCKS_KERNEL(CausalAttentionGrad, AttentionAttrs, causal_attention_grad),
      MEGABLOCKS_KERNEL(AdamW, NoAttrs, adamw),
  };
}

}  // namespace megablocks
