/** A test file that the page runs, as a module of this folder, and on which backends. */
export interface PageTests {
  file: string;
  backends: readonly string[];
}

const BOTH = ['webgpu', 'webgl'];
/** Node.js runs these on webgpu; webgl is in the page alone. */
const WEBGL = ['webgl'];

/** In this order. */
export const PAGE_TESTS: readonly PageTests[] = [
  {file: '../ops_cases_test', backends: BOTH},
  {file: '../ops_goldens_test', backends: BOTH},
  {file: '../layers_goldens_test', backends: BOTH},
  {file: './fit', backends: BOTH},
  {file: '../routing_test', backends: WEBGL},
  {file: '../replicate_test', backends: WEBGL},
  {file: '../top_k_test', backends: WEBGL},
  {file: '../permutation_test', backends: WEBGL},
  {file: '../grouped_mat_mul_test', backends: WEBGL},
  {file: '../grouped_mlp_test', backends: WEBGL},
  {file: '../sparse_ops_test', backends: WEBGL},
  {file: '../sparse_topology_test', backends: WEBGL},
  {file: '../ops_gradients_test', backends: WEBGL},
  {file: '../layers_gradients_test', backends: WEBGL},
  {file: '../layers_oracle_test', backends: WEBGL},
  {file: '../layers_properties_test', backends: WEBGL},
  {file: '../transformer_ops_test', backends: WEBGL},
  {file: '../linear_cross_entropy_test', backends: WEBGL},
  {file: '../sparse_products_test', backends: WEBGL},
  {file: '../adamw_test', backends: WEBGL},
  {file: '../left_to_tfjs_test', backends: WEBGL},
  {file: '../cast_operands_test', backends: WEBGL},
  // Last, since it loses the context.
  {file: './webgl', backends: WEBGL},
];
