/** Wider digits save passes over the keys; their counts (8 KiB) still fit the first-level cache. */
const MAX_DIGIT_BITS = 11;

/** Some bits of a key: `bits` of them from bit `shift` on. */
export interface Digit {
  shift: number;
  bits: number;
}

/** Keys and where each came from, as the backend holds them. */
export interface Pairs<Values> {
  keys: Values;
  indices: Values;
}

/** The digits of the low `endBit` bits, lowest first, all but the last equally wide. */
export function digitsOf(endBit: number, maxBits = MAX_DIGIT_BITS): Digit[] {
  const width = Math.ceil(endBit / Math.ceil(endBit / maxBits));
  const digits = [];
  for (let shift = 0; shift < endBit; shift += width) {
    digits.push({shift, bits: Math.min(width, endBit - shift)});
  }
  return digits;
}

/**
 * keys [N] -> result: a stable radix sort by `digits`, which orders all 32 bits as signed integers
 * and fewer as unsigned ones. `sortByDigit` is the stable sort by one digit, for which keys without
 * indices come each from its own place. A single digit needs no scratch.
 */
export function sort<Values>(
  keys: Values,
  digits: readonly Digit[],
  result: Pairs<Values>,
  makeScratch: () => Pairs<Values>,
  sortByDigit: (digit: Digit, from: {keys: Values; indices?: Values}, to: Pairs<Values>) => void,
) {
  const scratch = digits.length === 1 ? result : makeScratch();
  let from: {keys: Values; indices?: Values} = {keys};
  digits.forEach((digit, pass) => {
    // The two alternate such that the last pass writes the result.
    const to = (digits.length - pass) % 2 === 1 ? result : scratch;
    sortByDigit(digit, from, to);
    from = to;
  });
}
