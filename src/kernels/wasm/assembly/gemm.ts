// C = A B (+ C) in float32, on packed panels: the one matrix product that every kernel of this backend
// stands on. Faster than the product that comes with the backend (which is also 14 to 70 times slower
// as soon as an operand is transposed), because packing gives the inner loop the same layout whatever
// the strides are.

// The tile that stays in registers: 8 accumulators, two vectors of B, one of A and a product, of x64's
// 16. A taller tile (6 x 8) and an unrolled loop measured slower: the compiler spills.
const MR = 4;
const NR = 8;
// The blocks that stay in caches: a panel of B (KC x 8 floats) in L1, a block of A (MC x KC) in L2.
const KC = 256;
const MC = 96;
const NC = 512;

/** Bytes that `gemm` needs for its packed blocks, whatever the sizes. */
export function gemmScratchBytes(): i32 {
  return 4 * (MC * KC + NC * KC + MR * NR);
}

/**
 * c[m, n] = a[m, k] b[k, n], added to c where `accumulate` is set. Strides are in elements; in a and
 * in b one of the two strides must be 1.
 */
export function gemm(
  m: i32, n: i32, k: i32,
  a: usize, aRowStride: i32, aColumnStride: i32,
  b: usize, bRowStride: i32, bColumnStride: i32,
  c: usize, cRowStride: i32, accumulate: bool,
  scratch: usize,
): void {
  const packedA = scratch;
  const packedB = packedA + 4 * MC * KC;
  const tile = packedB + 4 * NC * KC;
  if (k == 0 && !accumulate) {
    for (let i = 0; i < m; i++) memory.fill(c + 4 * <usize>i * cRowStride, 0, 4 * n);
    return;
  }
  for (let k0 = 0; k0 < k; k0 += KC) {
    const kc = min(KC, k - k0);
    const add = accumulate || k0 > 0;
    for (let n0 = 0; n0 < n; n0 += NC) {
      const nc = min(NC, n - n0);
      for (let j = 0; j < nc; j += NR) {
        pack(NR, min(NR, nc - j), kc, packedB + 4 * <usize>(j * kc),
          b + 4 * (<usize>k0 * bRowStride + <usize>(n0 + j) * bColumnStride), bColumnStride, bRowStride);
      }
      for (let m0 = 0; m0 < m; m0 += MC) {
        const mc = min(MC, m - m0);
        for (let i = 0; i < mc; i += MR) {
          pack(MR, min(MR, mc - i), kc, packedA + 4 * <usize>(i * kc),
            a + 4 * (<usize>(m0 + i) * aRowStride + <usize>k0 * aColumnStride), aRowStride, aColumnStride);
        }
        for (let j = 0; j < nc; j += NR) {
          const columns = min(NR, nc - j);
          const panelB = packedB + 4 * <usize>(j * kc);
          for (let i = 0; i < mc; i += MR) {
            const rows = min(MR, mc - i);
            const panelA = packedA + 4 * <usize>(i * kc);
            const out = c + 4 * (<usize>(m0 + i) * cRowStride + n0 + j);
            if (rows == MR && columns == NR) {
              multiplyTile(kc, panelA, panelB, out, cRowStride << 2, add);
            } else {
              multiplyTile(kc, panelA, panelB, tile, NR << 2, false);
              copyTile(rows, columns, tile, out, cRowStride, add);
            }
          }
        }
      }
    }
  }
}

/** One 4 x 8 tile: out = a b (+ out), from packed panels of k columns of a and k rows of b. */
function multiplyTile(k: i32, a: usize, b: usize, out: usize, outStride: usize, add: bool): void {
  const out1 = out + outStride, out2 = out1 + outStride, out3 = out2 + outStride;
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  if (add) {
    c00 = v128.load(out); c01 = v128.load(out, 16);
    c10 = v128.load(out1); c11 = v128.load(out1, 16);
    c20 = v128.load(out2); c21 = v128.load(out2, 16);
    c30 = v128.load(out3); c31 = v128.load(out3, 16);
  }
  for (let i = 0; i < k; i++) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let s = v128.load_splat<f32>(a);
    c00 = f32x4.add(c00, f32x4.mul(s, b0)); c01 = f32x4.add(c01, f32x4.mul(s, b1));
    s = v128.load_splat<f32>(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(s, b0)); c11 = f32x4.add(c11, f32x4.mul(s, b1));
    s = v128.load_splat<f32>(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(s, b0)); c21 = f32x4.add(c21, f32x4.mul(s, b1));
    s = v128.load_splat<f32>(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(s, b0)); c31 = f32x4.add(c31, f32x4.mul(s, b1));
    a += 4 * MR; b += 4 * NR;
  }
  v128.store(out, c00); v128.store(out, c01, 16);
  v128.store(out1, c10); v128.store(out1, c11, 16);
  v128.store(out2, c20); v128.store(out2, c21, 16);
  v128.store(out3, c30); v128.store(out3, c31, 16);
}

/** Writes the part of a tile that lies inside the result. */
function copyTile(rows: i32, columns: i32, tile: usize, out: usize, outStride: i32, add: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const p = out + 4 * (<usize>i * outStride + j);
      const value = load<f32>(tile + 4 * (i * NR + j));
      store<f32>(p, add ? load<f32>(p) + value : value);
    }
  }
}

/**
 * Packs `lines` rows of a (or columns of b) of `k` steps, one step after the other, `width` lines side
 * by side; lines beyond are zero.
 */
function pack(
  width: i32, lines: i32, k: i32, out: usize, from: usize, lineStride: i32, stepStride: i32,
): void {
  if (lines < width) packEdge(width, lines, k, out, from, lineStride, stepStride);
  else if (stepStride == 1) packTransposed(width, k, out, from, <usize>lineStride << 2);
  else packStraight(width, k, out, from, <usize>stepStride << 2);
}

function packEdge(
  width: i32, lines: i32, k: i32, out: usize, from: usize, lineStride: i32, stepStride: i32,
): void {
  for (let i = 0; i < k; i++) {
    for (let line = 0; line < width; line++) {
      const value = line < lines
        ? load<f32>(from + 4 * (<usize>line * lineStride + <usize>i * stepStride)) : <f32>0;
      store<f32>(out, value);
      out += 4;
    }
  }
}

/** The lines lie side by side already (lineStride 1): copies `width` floats a step. */
function packStraight(width: i32, k: i32, out: usize, from: usize, stepBytes: usize): void {
  for (let i = 0; i < k; i++) {
    v128.store(out, v128.load(from));
    if (width == NR) v128.store(out, v128.load(from, 16), 16);
    out += <usize>width << 2; from += stepBytes;
  }
}

/** Each line lies along K (stepStride 1): turns 4 x 4 corners around in registers. */
function packTransposed(width: i32, k: i32, out: usize, from: usize, lineBytes: usize): void {
  const stepBytes = <usize>width << 2;
  for (let line = 0; line < width; line += 4) {
    const p0 = from + <usize>line * lineBytes, p1 = p0 + lineBytes, p2 = p1 + lineBytes, p3 = p2 + lineBytes;
    let q = out + ((<usize>line) << 2);
    let i: usize = 0;
    for (; i + 4 <= <usize>k; i += 4) {
      const r0 = v128.load(p0 + (i << 2)), r1 = v128.load(p1 + (i << 2));
      const r2 = v128.load(p2 + (i << 2)), r3 = v128.load(p3 + (i << 2));
      const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(q, v128.shuffle<f32>(t0, t2, 0, 1, 4, 5)); q += stepBytes;
      v128.store(q, v128.shuffle<f32>(t0, t2, 2, 3, 6, 7)); q += stepBytes;
      v128.store(q, v128.shuffle<f32>(t1, t3, 0, 1, 4, 5)); q += stepBytes;
      v128.store(q, v128.shuffle<f32>(t1, t3, 2, 3, 6, 7)); q += stepBytes;
    }
    for (; i < <usize>k; i++) {
      store<f32>(q, load<f32>(p0 + (i << 2)));
      store<f32>(q, load<f32>(p1 + (i << 2)), 4);
      store<f32>(q, load<f32>(p2 + (i << 2)), 8);
      store<f32>(q, load<f32>(p3 + (i << 2)), 12);
      q += stepBytes;
    }
  }
}
