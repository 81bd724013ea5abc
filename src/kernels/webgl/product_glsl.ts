/** `addProduct(sum, a, b)`: sum += a b, of 2 x 2 elements each; for two statements, see product_tile.ts. */
export const ADD_PRODUCT = `
  void addProduct(inout vec4 sum, vec4 a, vec4 b) {
    sum += a.xxzz * b.xyxy;
    sum += a.yyww * b.zwzw;
  }`;
