// The experts of a dropless mixture, whole, on the GPU: fused in bfloat16 where there is that, or else as the
// launchers of which they consist.
#include "../grouped_mlp.h"

#include <algorithm>

#include "../kernels.h"
#include "gpu.h"

namespace megablocks {
namespace {

MegaBlocksExperts launched(const Experts& experts, const GroupedMlpAttrs& attrs) {
  const MegaBlocksPermutation permutation{
      experts.indices.data, experts.bins.data, experts.bins.data, experts.num_copies, experts.num_copies,
      static_cast<int32_t>(experts.num_experts), static_cast<int32_t>(attrs.top_k), kMegaBlocksPacked};
  return {permutation, experts.weights.data, experts.hidden_size, experts.ffn_hidden_size, attrs.activation};
}

bool is_fused(const MegaBlocksExperts& experts, const GroupedMlpAttrs& attrs) {
  return attrs.precision == kMegaBlocksBfloat16 && megablocks_experts_supported(&experts);
}

/// What the fused forward pass saves, in floats.
int64_t saved_floats(const MegaBlocksExperts& experts) {
  return (static_cast<int64_t>(megablocks_experts_saved(&experts)) + 3) / 4;
}

/// The launchers one after the other. What is saved: the pre-activations and the activations [N, F], the gathered
/// rows and the results of the experts [N, H].
class Sequence {
 public:
  Sequence(const Experts& experts, const GroupedMlpAttrs& attrs)
      : e_(launched(experts, attrs)), precision_(attrs.precision) {
    for (const Form form : {kUp, kDown, kOfMatrices}) {
      product_bytes_ = std::max(product_bytes_, call_of(form).workspace(*this));
    }
  }

  int64_t rows() const { return e_.permutation.num_copies; }
  int64_t hidden() const { return e_.hidden_size; }
  int64_t ffn() const { return e_.ffn_hidden_size; }
  int64_t saved() const { return 2 * rows() * (ffn() + hidden()); }

  size_t forward_bytes() const {
    return aligned(product_bytes_) + aligned(megablocks_scatter_workspace(rows()));
  }
  cudaError_t forward(
      const float* x, const float* w1, const float* w2, float* y, float* saved, void* workspace,
      cudaStream_t stream) {
    begin(workspace, stream);
    void* const scattering = take(megablocks_scatter_workspace(rows()));
    const Saved<float> s(saved, *this);
    if (cudaError_t error = gather(x, nullptr, s.gathered)) return error;
    if (cudaError_t error = product(kUp, s.gathered, w1, s.linear)) return error;
    if (cudaError_t error = activation(s.linear, s.activated)) return error;
    if (cudaError_t error = product(kDown, s.activated, w2, s.results)) return error;
    return megablocks_scatter(s.results, e_.weights, e_.permutation, hidden(), y, scattering, stream);
  }

  size_t backward_bytes() const {
    return forward_bytes() + 2 * floats(hidden()) + 2 * floats(ffn());
  }
  cudaError_t backward(
      const float* dy, const float* w1, const float* w2, const float* saved, float* dx, float* dweights,
      float* dw1, float* dw2, void* workspace, cudaStream_t stream) {
    begin(workspace, stream);
    void* const scattering = take(megablocks_scatter_workspace(rows()));
    float *const drows = take_rows(hidden()), *const dgathered = take_rows(hidden());
    float *const dactivated = take_rows(ffn()), *const dlinear = take_rows(ffn());
    const Saved<const float> s(saved, *this);
    if (cudaError_t error = megablocks_scatter_weights_grad(s.results, dy, e_.permutation, hidden(), dweights,
                                                            stream)) {
      return error;
    }
    if (cudaError_t error = gather(dy, e_.weights, drows)) return error;
    if (cudaError_t error = product(kOfMatrices, s.activated, drows, dw2)) return error;
    if (cudaError_t error = product(kUp, drows, w2, dactivated)) return error;
    if (cudaError_t error = megablocks_activation_grad(e_.activation, s.linear, dactivated, rows() * ffn(), dlinear,
                                                       stream)) {
      return error;
    }
    if (cudaError_t error = product(kOfMatrices, dlinear, s.gathered, dw1)) return error;
    if (cudaError_t error = product(kDown, dlinear, w1, dgathered)) return error;
    return megablocks_scatter(dgathered, nullptr, e_.permutation, hidden(), dx, scattering, stream);
  }

 private:
  /// [N, H] -> [N, F]; [N, F] -> [N, H]; [N, F] and [N, H] -> [E, F, H].
  enum Form { kUp, kDown, kOfMatrices };

  template <typename T>
  struct Saved {
    T *linear, *activated, *gathered, *results;
    Saved(T* memory, const Sequence& s)
        : linear(memory),
          activated(linear + s.rows() * s.ffn()),
          gathered(activated + s.rows() * s.ffn()),
          results(gathered + s.rows() * s.hidden()) {}
  };

  struct ProductCall {
    int64_t k, n;
    bool transpose_a, transpose_b;
    size_t workspace(const Sequence& s) const {
      return megablocks_grouped_mat_mul_workspace(s.precision_, s.rows(), k, n, s.e_.permutation.num_experts,
                                                  transpose_a, transpose_b);
    }
  };
  ProductCall call_of(Form form) const {
    switch (form) {
      case kUp:
        return {hidden(), ffn(), false, true};
      case kDown:
        return {ffn(), hidden(), false, false};
      default:
        return {ffn(), hidden(), true, false};
    }
  }

  /// Parts of a workspace begin on such a boundary.
  static size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }
  size_t floats(int64_t columns) const { return aligned(rows() * columns * sizeof(float)); }

  void begin(void* workspace, cudaStream_t stream) {
    next_ = static_cast<char*>(workspace);
    stream_ = stream;
    product_workspace_ = take(product_bytes_);
  }
  void* take(size_t bytes) {
    void* const part = next_;
    next_ += aligned(bytes);
    return part;
  }
  float* take_rows(int64_t columns) { return static_cast<float*>(take(rows() * columns * sizeof(float))); }

  cudaError_t gather(const float* x, const float* weights, float* out) const {
    return megablocks_gather(x, weights, e_.permutation, hidden(), out, stream_);
  }
  cudaError_t activation(const float* x, float* out) const {
    return megablocks_activation(e_.activation, x, rows() * ffn(), out, stream_);
  }
  cudaError_t product(Form form, const float* a, const float* b, float* out) const {
    const ProductCall call = call_of(form);
    return megablocks_grouped_mat_mul(
        precision_, a, b, e_.permutation.bins, rows(), call.k, call.n, e_.permutation.num_experts, call.transpose_a,
        call.transpose_b, out, product_workspace_, call.workspace(*this), stream_);
  }

  const MegaBlocksExperts e_;
  const int precision_;
  size_t product_bytes_ = 0;
  char* next_ = nullptr;
  void* product_workspace_ = nullptr;
  cudaStream_t stream_ = nullptr;
};

void grouped_mlp(Context& context, const GroupedMlpAttrs& attrs) {
  const GroupedMlpCall call(context, attrs);
  const Experts& experts = call.experts;
  const float *x = experts.x.data, *w1 = experts.w1.data, *w2 = experts.w2.data;
  Gpu gpu(context);
  const MegaBlocksExperts fused = launched(experts, attrs);
  if (is_fused(fused, attrs)) {
    float* const saved = context.output_floats(1, {saved_floats(fused)});
    gpu.run(megablocks_experts_workspace(&fused, false), [&](void* workspace, cudaStream_t stream) {
      return megablocks_experts_forward(&fused, x, w1, w2, call.y, saved, workspace, stream);
    });
    return;
  }
  Sequence sequence(experts, attrs);
  float* const saved = context.output_floats(1, {sequence.saved()});
  gpu.run(sequence.forward_bytes(), [&](void* workspace, cudaStream_t stream) {
    return sequence.forward(x, w1, w2, call.y, saved, workspace, stream);
  });
}

void grouped_mlp_grad(Context& context, const GroupedMlpAttrs& attrs) {
  const GroupedMlpGradCall call(context, attrs);
  const Experts& experts = call.experts;
  const float* const dy = call.dy.data;
  Gpu gpu(context);
  const MegaBlocksExperts fused = launched(experts, attrs);
  if (is_fused(fused, attrs)) {
    const float* const saved = call.saved(context, {saved_floats(fused)}).data;
    gpu.run(megablocks_experts_workspace(&fused, true), [&](void* workspace, cudaStream_t stream) {
      return megablocks_experts_backward(&fused, dy, saved, call.dx, call.dw1, call.dw2, call.dweights,
                                         workspace, stream);
    });
    return;
  }
  Sequence sequence(experts, attrs);
  const float* const saved = call.saved(context, {sequence.saved()}).data;
  gpu.run(sequence.backward_bytes(), [&](void* workspace, cudaStream_t stream) {
    return sequence.backward(dy, experts.w1.data, experts.w2.data, saved, call.dx, call.dweights,
                             call.dw1, call.dw2, workspace, stream);
  });
}

}  // namespace

std::vector<KernelEntry> cuda_grouped_mlp_kernels() {
  return {
      MEGABLOCKS_KERNEL(GroupedMlp, GroupedMlpAttrs, grouped_mlp),
      MEGABLOCKS_KERNEL(GroupedMlpGrad, GroupedMlpAttrs, grouped_mlp_grad),
  };
}

}  // namespace megablocks
