/** The backends that the page runs. */
export const PAGE_BACKENDS = ['webgpu'];

/** The test files that the page runs, in this order, as modules of this folder. */
export const PAGE_TESTS = [
  '../ops_cases_test',
  '../ops_goldens_test',
  '../layers_goldens_test',
  './fit',
];
