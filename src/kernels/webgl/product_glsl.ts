// Products of matrices, texel by texel: 2 x 2 elements of one times 2 x 2 of the other.

/** `addProduct(sum, a, b)`: sum += a b. Two statements, since some devices round one otherwise. */
export const ADD_PRODUCT = `
  void addProduct(inout vec4 sum, vec4 a, vec4 b) {
    sum += a.xxzz * b.xyxy;
    sum += a.yyww * b.zwzw;
  }`;

/** The transpose of 2 x 2 elements. */
export const TRANSPOSED = 'xzyw';

/**
 * A loop over the inner axis, two steps at a time. Where its size is odd, the last texels hold one step and
 * what lies beyond the edge, which may be anything.
 *
 * @param a 2 x 2 elements of the left matrix at the steps of texel `k`.
 * @param b The same of the right one.
 */
export function productLoop({
  size,
  isOdd,
  a,
  b,
  sum = 'sum',
}: {
  size: string;
  isOdd: boolean;
  a: string;
  b: string;
  sum?: string;
}): string {
  return `
    for (int k = 0; k < ${size} / 2; k++) {
      addProduct(${sum}, ${a}, ${b});
    }
    ${
      isOdd
        ? `{
      int k = ${size} / 2;
      ${sum} += (${a}).xxzz * (${b}).xyxy;
    }`
        : ''
    }`;
}
