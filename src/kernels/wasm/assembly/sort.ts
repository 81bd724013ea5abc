// One pass of a radix sort.

/**
 * Stable counting sort of keys, and of the indices that came with them, by `bits` bits from bit
 * `shift` on. Where `indices` is 0, each key comes from its own place. `counts` has room for 2^bits
 * integers.
 */
export function sortByDigit(
  size: i32, shift: u32, bits: u32, keys: usize, indices: usize, toKeys: usize, toIndices: usize,
  counts: usize,
): void {
  const mask: u32 = (1 << bits) - 1;
  // With the sign bit flipped, negative keys come before the others.
  const flip: u32 = shift + bits == 32 ? 1 << (bits - 1) : 0;
  const countsEnd = counts + (<usize>4 << bits);
  memory.fill(counts, 0, countsEnd - counts);
  for (let i = 0; i < size; i++) {
    const count = counts + offsetOfDigit(load<u32>(keys + (<usize>i << 2)), shift, mask, flip);
    store<u32>(count, load<u32>(count) + 1);
  }
  for (let count = counts, begin: u32 = 0; count < countsEnd; count += 4) {
    const next = begin + load<u32>(count);
    store<u32>(count, begin);
    begin = next;
  }
  for (let i = 0; i < size; i++) {
    const key = load<u32>(keys + (<usize>i << 2));
    const next = counts + offsetOfDigit(key, shift, mask, flip);
    const position = load<u32>(next);
    store<u32>(next, position + 1);
    store<u32>(toKeys + (<usize>position << 2), key);
    store<u32>(toIndices + (<usize>position << 2),
      indices != 0 ? load<u32>(indices + (<usize>i << 2)) : i);
  }
}

// @ts-ignore: decorator
@inline
function offsetOfDigit(key: u32, shift: u32, mask: u32, flip: u32): usize {
  return <usize>(((key >> shift) & mask) ^ flip) << 2;
}
