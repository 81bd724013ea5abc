/** `isNaN(x)`, by the bits: compilers may take GLSL's isnan() for false. */
export const IS_NAN = `
  bool isNaN(float x) {
    return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u;
  }
  bvec2 isNaN(vec2 x) {
    return bvec2(isNaN(x.x), isNaN(x.y));
  }
  bvec4 isNaN(vec4 x) {
    return bvec4(isNaN(x.xy), isNaN(x.zw));
  }`;

/** `exponential(x)`: NaN stays NaN, which GLSL does not ask of its exp(). */
export const EXPONENTIAL = `
  ${IS_NAN}
  vec2 exponential(vec2 x) {
    return mix(exp(x), x, isNaN(x));
  }
  vec4 exponential(vec4 x) {
    return mix(exp(x), x, isNaN(x));
  }`;
