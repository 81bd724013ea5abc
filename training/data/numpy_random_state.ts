// NumPy's legacy random state, as far as Megatron-LM uses it: the same seed then shuffles a data set in
// the same order as Megatron-LM does. Matsumoto and Nishimura, Mersenne Twister (1998).

const SIZE = 624;
const MIDDLE = 397;

/** numpy.random.RandomState(seed), with `shuffle`. */
export class NumpyRandomState {
  private readonly state = new Uint32Array(SIZE);
  private next = SIZE;

  /** @param seed An integer from 0 to 2^32 - 1. */
  constructor(seed: number) {
    this.state[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const previous = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, previous) + i;
    }
  }

  /** Shuffles in place (Fisher and Yates, from the end). */
  shuffle(values: Int32Array | Uint32Array) {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.upTo(i);
      const value = values[i];
      values[i] = values[j];
      values[j] = value;
    }
  }

  /** An integer from 0 to `max`: as many bits as it has, drawn until they do not exceed it. */
  private upTo(max: number): number {
    const mask = 2 ** (32 - Math.clz32(max)) - 1;
    let value;
    do {
      value = (this.uint32() & mask) >>> 0;
    } while (value > max);
    return value;
  }

  private uint32(): number {
    if (this.next === SIZE) {
      this.twist();
    }
    let y = this.state[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** The next SIZE states, each of three of the last ones. */
  private twist() {
    const {state} = this;
    for (let i = 0; i < SIZE; i++) {
      const next = i + 1 < SIZE ? i + 1 : 0;
      const middle = i + MIDDLE < SIZE ? i + MIDDLE : i + MIDDLE - SIZE;
      const y = (state[i] & 0x80000000) | (state[next] & 0x7fffffff);
      state[i] = state[middle] ^ (y >>> 1) ^ (-(y & 1) & 0x9908b0df);
    }
    this.next = 0;
  }
}
