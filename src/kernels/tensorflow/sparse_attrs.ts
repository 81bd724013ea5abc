/** The attributes of ops on a block-sparse matrix. */
export const SPARSE_SIZE_ATTRS = {
  sparseRows: 'int',
  sparseColumns: 'int',
  blockSize: 'int',
} as const;

/** Those of a product with one. */
export const SPARSE_PRODUCT_ATTRS = {
  ...SPARSE_SIZE_ATTRS,
  transposeA: 'bool',
  transposeB: 'bool',
} as const;
