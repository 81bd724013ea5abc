/** The exponent of the largest magnitude after scaling; halves end at 2^16. */
export const TARGET_EXPONENT = 14;

/**
 * WGSL functions that scale floats by powers of two to fit halves: what float32 holds neither overflows nor
 * vanishes, and an element is rounded to 11 bits unless it is 2^28 times smaller than the largest.
 */
export const HALVES = `
  /** The power of two that brings the largest magnitude, given by its bits, near the top of halves. */
  fn scalingExponent(bits : u32) -> i32 {
    let exponent = i32(bits >> 23u) - 127;
    return select(clamp(${TARGET_EXPONENT} - exponent, -126, 126), 0, bits == 0u);
  }

  fn powerOfTwo(exponent : i32) -> f32 { return bitcast<f32>(u32(exponent + 127) << 23u); }

  /** Takes the powers of two back; the smaller one first, so that nothing overflows on its way. */
  fn unscale(x : vec4f, exponentA : i32, exponentB : i32) -> vec4f {
    return x * powerOfTwo(-max(exponentA, exponentB)) * powerOfTwo(-min(exponentA, exponentB));
  }

  fn toHalves(x : vec4f) -> vec2u {
    return vec2u(bitcast<u32>(vec2h(x.xy)), bitcast<u32>(vec2h(x.zw)));
  }`;
