#include "ops.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "../c_api.h"

namespace megablocks {
namespace {

using ShapeFunction = void (*)(TF_ShapeInferenceContext*, TF_Status*);

/// Outputs whose sizes are attributes, or the sizes of several inputs: known when the kernel has run.
void unknown_shape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

/// `outputs` outputs of the shape of one input.
template <int input, int outputs = 1>
void shape_of(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeHandle* handle = TF_NewShapeHandle();
  TF_ShapeInferenceContextGetInput(context, input, handle, status);
  for (int i = 0; i < outputs && TF_GetCode(status) == TF_OK; i++) {
    TF_ShapeInferenceContextSetOutput(context, i, handle, status);
  }
  TF_DeleteShapeHandle(handle);
}

/// In the language of TensorFlow's op definitions. Inputs and attributes are those of
/// src/kernel_names.ts, in its order; names of inputs are in snake_case, as TensorFlow demands.
struct OpDefinition {
  const char* name;
  std::vector<const char*> inputs, outputs, attrs;
  ShapeFunction shape;
};

const std::vector<const char*> kPermutationAttrs = {"layout: string", "topK: int", "numRows: int"};
/// How a product multiplies float32 matrices, where the device has a choice.
constexpr const char* kPrecision = "precision: {'float32', 'tf32', 'bfloat16'} = 'float32'";
const std::vector<const char*> kSparseSize = {"sparseRows: int", "sparseColumns: int",
                                              "blockSize: int"};
const std::vector<const char*> kSparseProduct = {"sparseRows: int", "sparseColumns: int",
                                                 "blockSize: int", "transposeA: bool",
                                                 "transposeB: bool", kPrecision};
const std::vector<const char*> kExperts = {"activation: string", "topK: int", kPrecision};

std::vector<OpDefinition> definitions() {
  return {
      // Routing.
      {"Sort", {"keys: int32"}, {"sorted: int32", "permutation: int32"}, {"endBit: int"}, shape_of<0, 2>},
      {"Histogram", {"x: int32"}, {"counts: int32"}, {"max: int"}, unknown_shape},
      {"Cumsum", {"x: int32"}, {"sums: int32"}, {"exclusive: bool"}, shape_of<0>},
      {"RoundUp", {"x: int32"}, {"y: int32"}, {"multiple: int"}, shape_of<0>},
      {"PaddedBins", {"tokens_per_expert: int32"}, {"bins: int32"}, {"blockSize: int"}, shape_of<0>},
      {"Replicate", {"x: T", "bins: int32"}, {"y: T"}, {"numOutputs: int", "T: {float, int32}"},
       unknown_shape},
      {"ReplicateGrad", {"dy: float", "bins: int32"}, {"dx: float"}, {}, unknown_shape},

      // Top-k selection.
      {"TopKIndices", {"x: float"}, {"indices: int32"}, {"k: int"}, unknown_shape},
      {"TakeAlongRows", {"x: float", "indices: int32"}, {"y: float"}, {"numColumns: int"}, shape_of<1>},
      {"TakeAlongRowsGrad", {"dy: float", "indices: int32"}, {"dx: float"}, {"numColumns: int"},
       unknown_shape},

      // Permutation.
      {"Gather", {"x: float", "indices: int32", "bins: int32", "padded_bins: int32"}, {"y: float"},
       kPermutationAttrs, unknown_shape},
      {"WeightedGather",
       {"x: float", "indices: int32", "bins: int32", "padded_bins: int32", "weights: float"},
       {"y: float"}, kPermutationAttrs, unknown_shape},
      {"Scatter", {"x: float", "indices: int32", "bins: int32", "padded_bins: int32"}, {"y: float"},
       kPermutationAttrs, unknown_shape},
      {"WeightedScatter",
       {"x: float", "indices: int32", "bins: int32", "padded_bins: int32", "weights: float"},
       {"y: float"}, kPermutationAttrs, unknown_shape},
      {"ScatterWeightsGrad",
       {"x: float", "dy: float", "indices: int32", "bins: int32", "padded_bins: int32"},
       {"dweights: float"}, kPermutationAttrs, shape_of<2>},

      // Products.
      {"GroupedMatMul", {"a: float", "b: float", "bins: int32"}, {"product: float"},
       {"transposeA: bool", "transposeB: bool", kPrecision}, unknown_shape},
      {"Sdd",
       {"a: float", "b: float", "row_indices: int32", "column_indices: int32", "offsets: int32",
        "column_indices_t: int32", "offsets_t: int32", "block_offsets_t: int32"},
       {"values: float"}, kSparseProduct, unknown_shape},
      {"Dsd",
       {"values: float", "b: float", "row_indices: int32", "column_indices: int32", "offsets: int32",
        "column_indices_t: int32", "offsets_t: int32", "block_offsets_t: int32"},
       {"product: float"}, kSparseProduct, unknown_shape},
      {"Dds",
       {"a: float", "values: float", "row_indices: int32", "column_indices: int32", "offsets: int32",
        "column_indices_t: int32", "offsets_t: int32", "block_offsets_t: int32"},
       {"product: float"}, kSparseProduct, unknown_shape},

      // The experts whole. What is saved is the device's own.
      {"GroupedMlp",
       {"x: float", "expert_weights: float", "w1: float", "w2: float", "indices: int32", "bins: int32"},
       {"y: float", "saved: float"}, kExperts, unknown_shape},
      {"GroupedMlpGrad",
       {"dy: float", "x: float", "expert_weights: float", "w1: float", "w2: float", "indices: int32",
        "bins: int32", "saved: float"},
       {"dx: float", "dexpert_weights: float", "dw1: float", "dw2: float"}, kExperts, unknown_shape},

      // The index of a block-sparse matrix.
      {"Topology", {"padded_bins: int32"}, {"column_indices: int32"},
       {"blockSize: int", "blockRows: int", "blocksPerRow: int"}, unknown_shape},
      {"RowIndices", {"offsets: int32"}, {"row_indices: int32"}, {"numBlocks: int"}, unknown_shape},
      {"SparseTranspose", {"column_indices: int32", "row_indices: int32"},
       {"column_indices_t: int32", "offsets_t: int32", "block_offsets_t: int32"},
       {"blockColumns: int"}, unknown_shape},
      {"SparseToDense", {"values: float", "row_indices: int32", "column_indices: int32"}, {"y: float"},
       kSparseSize, unknown_shape},
      {"DenseToSparse", {"x: float", "row_indices: int32", "column_indices: int32"},
       {"values: float"}, kSparseSize, unknown_shape},

      // What training needs.
      {"Activation", {"x: float"}, {"y: float"}, {"activation: string"}, shape_of<0>},
      {"ActivationGrad", {"x: float", "dy: float"}, {"dx: float"}, {"activation: string"}, shape_of<0>},
      {"Embedding", {"table: float", "indices: int32"}, {"rows: float"}, {}, unknown_shape},
      {"EmbeddingGrad", {"dy: float", "indices: int32"}, {"dtable: float"}, {"vocabSize: int"},
       unknown_shape},
      {"SparseSoftmaxCrossEntropy", {"logits: float", "labels: int32"},
       {"losses: float", "log_sums: float"}, {}, shape_of<1, 2>},
      {"SparseSoftmaxCrossEntropyGrad",
       {"logits: float", "labels: int32", "log_sums: float", "dy: float"}, {"dlogits: float"}, {},
       shape_of<0>},
      {"LayerNorm", {"x: float", "gamma: float", "beta: float"}, {"y: float"}, {"epsilon: float"},
       shape_of<0>},
      {"LayerNormGrad", {"x: float", "gamma: float", "dy: float"}, {"dx: float"}, {"epsilon: float"},
       shape_of<0>},
      {"LayerNormGammaGrad", {"x: float", "dy: float"}, {"dgamma: float"}, {"epsilon: float"},
       unknown_shape},
      {"CausalAttention", {"qkv: float"}, {"y: float"}, {"numHeads: int"}, unknown_shape},
      {"CausalAttentionGrad", {"qkv: float", "dy: float"}, {"dqkv: float"}, {"numHeads: int"},
       shape_of<0>},
      {"AdamW",
       {"value: float", "gradient: float", "first_moment: float", "second_moment: float",
        "gradient_scale: float", "factors: float"},
       {"new_value: float", "new_first_moment: float", "new_second_moment: float"}, {}, shape_of<0, 3>},
  };
}

}  // namespace

void register_ops() {
  for (const OpDefinition& op : definitions()) {
    const std::string name = std::string("MegaBlocks") + op.name;
    TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(name.c_str());
    for (const char* spec : op.attrs) TF_OpDefinitionBuilderAddAttr(builder, spec);
    for (const char* spec : op.inputs) TF_OpDefinitionBuilderAddInput(builder, spec);
    for (const char* spec : op.outputs) TF_OpDefinitionBuilderAddOutput(builder, spec);
    TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, op.shape);
    TF_Status* status = TF_NewStatus();
    TF_RegisterOpDefinition(builder, status);
    const std::string problem = TF_GetCode(status) == TF_OK ? "" : TF_Message(status);
    TF_DeleteStatus(status);
    if (!problem.empty()) {
      throw std::runtime_error(name + ": " + problem);
    }
  }
}

}  // namespace megablocks
