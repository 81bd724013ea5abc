// Looking a global up takes Jest 200 ns.
const {imul} = Math;

/** `size` values in [-1, 1), the same for the same seed (mulberry32). */
export function random(size: number, seed: number): Float32Array {
  let state = seed | 0;
  return Float32Array.from({length: size}, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), 1 | state);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2147483648 - 1;
  });
}
