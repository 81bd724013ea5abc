/** The index of a permutation, in the order of the ops that take one. */
export const PERMUTATION_INDEX = ['indices', 'bins', 'paddedBins'] as const;

/** The attributes of those ops. */
export const PERMUTATION_ATTRS = {layout: 'string', topK: 'int', numRows: 'int'} as const;
