/** A seed for tfjs, which takes 0 for none: in its place comes one that is no integer. */
export function tfjsSeed(seed?: number): number | undefined {
  return seed === 0 ? 0.5 : seed;
}

/** Numbers in [0, 1) on the host: the same for the same seed (mulberry32), any without one. */
export function randomNumbers(seed?: number): () => number {
  if (seed == null) {
    return Math.random;
  }
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
