import {unroll} from './unroll';

// How often each small integer occurs among the values of one workgroup, with atomics that many
// invocations seldom share: a counter lies in memory several times, once for each of a few lanes.

const LANES = 256;
const VALUES_PER_LANE = 8;

/** Invocations a workgroup. */
export const COUNT_WORKGROUP_SIZE = LANES;
/** Values a workgroup. */
export const COUNT_TILE = LANES * VALUES_PER_LANE;
/** Counters a workgroup: what every device has room for. */
export const MAX_COUNTERS = 4096;

/** How many times to keep `bound` counters; lanes of NVIDIA's are served 32 at once. */
export function counterCopies(bound: number, counters: number): number {
  let copies = 32;
  while (copies > 1 && copies * bound > counters) {
    copies /= 2;
  }
  return copies;
}

export function countDeclarations(counters: number): string {
  return `var<workgroup> counters : array<atomic<i32>, ${counters}>;`;
}

/**
 * Counts the values from index `begin` up to `end`, of at most a tile, that are below `bound`. `load`
 * makes a u32 of an index, `store` takes the count of a value. The arguments are WGSL.
 */
export function countTile({
  begin,
  end,
  bound,
  copies,
  load,
  store,
}: {
  begin: string;
  end: string;
  bound: string;
  copies: string;
  load: (i: string) => string;
  store: (value: string, count: string) => string;
}): string {
  return `
    let first = ${begin} + lane;
    // All reads come first, so that they wait for memory together.
    ${unroll(
      VALUES_PER_LANE,
      (round) => `
        let i${round} = first + ${round * LANES}u;
        var value${round} = 0xffffffffu;
        if (i${round} < ${end}) { value${round} = ${load(`i${round}`)}; }`,
    )}
    // Memory of a workgroup begins as zeros.
    let copy = lane % ${copies};
    ${unroll(
      VALUES_PER_LANE,
      (round) => `
        if (value${round} < ${bound}) {
          atomicAdd(&counters[value${round} * ${copies} + copy], 1);
        }`,
    )}
    workgroupBarrier();
    for (var value = lane; value < ${bound}; value += ${LANES}u) {
      var count = 0;
      // Each lane begins with another copy, so that they read different banks of memory.
      for (var i = 0u; i < ${copies}; i++) {
        count += atomicLoad(&counters[value * ${copies} + (i + lane) % ${copies}]);
      }
      ${store('value', 'count')}
    }`;
}
