// The sum of the squares of `size` floats: in float32 within a block, whose rounding is small, and in
// float64 over the blocks.

const BLOCK: usize = 4096 << 2;

export function sumOfSquares(size: i32, x: usize): f64 {
  const bytes = <usize>size << 2;
  const whole = bytes & ~63;
  let total: f64 = 0;
  for (let begin: usize = 0; begin < whole; begin += BLOCK) {
    const end = begin + BLOCK < whole ? begin + BLOCK : whole;
    // Four sums, since an addition waits for the one before it.
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    let c = f32x4.splat(0);
    let d = f32x4.splat(0);
    for (let i = begin; i < end; i += 64) {
      const p = v128.load(x + i);
      const q = v128.load(x + i, 16);
      const r = v128.load(x + i, 32);
      const s = v128.load(x + i, 48);
      a = f32x4.add(a, f32x4.mul(p, p));
      b = f32x4.add(b, f32x4.mul(q, q));
      c = f32x4.add(c, f32x4.mul(r, r));
      d = f32x4.add(d, f32x4.mul(s, s));
    }
    const sums = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
    total += <f64>f32x4.extract_lane(sums, 0) + <f64>f32x4.extract_lane(sums, 1) +
      <f64>f32x4.extract_lane(sums, 2) + <f64>f32x4.extract_lane(sums, 3);
  }
  for (let i = whole; i < bytes; i += 4) {
    const value = <f64>load<f32>(x + i);
    total += value * value;
  }
  return total;
}
