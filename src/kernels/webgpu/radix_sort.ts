import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {type Digit, digitsOf, type Pairs, sort} from '../shared/Sort_impl';
import {makeOutput, type Program, runProgram, workgroupsFor} from './program';
import {sumRows} from './row_sums';
import {unroll} from './unroll';
import {
  COUNT_TILE,
  COUNT_WORKGROUP_SIZE,
  counterCopies,
  countDeclarations,
  countTile,
} from './workgroup_counts';
import {sumBefore} from './workgroup_sums';

/** What a workgroup's memory holds the masks and counts of, 16 KiB. */
const MAX_DIGIT_BITS = 8;

const LANES = COUNT_WORKGROUP_SIZE;
/** Keys a workgroup. */
const TILE = COUNT_TILE;
/** Lanes that share a mask, one bit each. */
const TEAM = 32;
const TEAMS = LANES / TEAM;
/** Keys a lane. */
const ROUNDS = TILE / LANES;

/** Counters that keep counting the digits from waiting for each other. */
const COUNTERS = 2048;

/** Each workgroup sums the counts of up to so many tiles by itself: a program less to start. */
const FEW_TILES = 64;

/** Where the move program finds the counts of the other tiles: nowhere, as they are, or summed. */
type OtherTiles = 'none' | 'tileCounts' | 'tileSums';

/** How many keys there are of each value, and of it and all lower ones, both [values], int32. */
interface Bins {
  counts: TensorInfo;
  bins: TensorInfo;
}

/** Whether one pass sorts keys below `numValues`, and finds their bins too. */
export function sortsInOnePass(numValues: number): boolean {
  return numValues <= 2 ** MAX_DIGIT_BITS;
}

export interface RadixSortOptions {
  /** Written where they are given, of keys that one pass sorts. */
  bins?: Bins;
  /** Keys that are not in [0, bound) count as the bound itself, and are so in the result. */
  bound?: number;
}

/**
 * The keys [N], int32, sorted by their low `endBit` bits, and where each came from, both [N]. Stable.
 * All 32 bits order as signed integers, fewer by their value.
 */
export function radixSort(
  backend: WebGPUBackend,
  kernelName: string,
  keys: TensorInfo,
  endBit: number,
  options: RadixSortOptions = {},
): Pairs<TensorInfo> {
  const made: TensorInfo[] = [];
  const makePairs = () => {
    const pairs = {
      keys: makeOutput(backend, keys.shape, 'int32'),
      indices: makeOutput(backend, keys.shape, 'int32'),
    };
    made.push(pairs.keys, pairs.indices);
    return pairs;
  };
  const result = makePairs();
  if (keys.shape[0] > 0) {
    sort(keys, digitsOf(endBit, MAX_DIGIT_BITS), result, makePairs, (digit, from, to) =>
      sortByDigit(backend, kernelName, digit, from, to, options),
    );
  }
  made.slice(2).forEach((scratch) => backend.disposeData(scratch.dataId));
  return result;
}

/** One pass: counts the digits of every tile, sums the counts, and moves the keys of every tile. */
function sortByDigit(
  backend: WebGPUBackend,
  name: string,
  {shift, bits}: Digit,
  from: {keys: TensorInfo; indices?: TensorInfo},
  to: Pairs<TensorInfo>,
  {bins, bound}: RadixSortOptions,
) {
  const [size] = from.keys.shape;
  const digits = 2 ** bits;
  const tiles = workgroupsFor(size, TILE);
  // With the sign bit flipped, negative keys come before the others.
  const flip = shift + bits === 32 ? digits / 2 : 0;
  const uniforms = {size, shift, flip, tiles, bound: bound ?? 0};
  const isBound = bound != null;
  const outputs = {sortedKeys: to.keys, sortedIndices: to.indices, ...bins};
  const numValues = bins?.bins.shape[0];
  const inputs = {
    keys: from.keys,
    ...(from.indices == null ? {} : {indices: from.indices}),
  };
  const otherTiles = tiles === 1 ? 'none' : tiles <= FEW_TILES ? 'tileCounts' : 'tileSums';
  const ofTiles: Record<string, TensorInfo> = {};
  if (otherTiles !== 'none') {
    const counts = makeOutput(backend, [digits, tiles], 'int32');
    runProgram(backend, countProgram(name, digits, isBound), {
      inputs: {keys: from.keys},
      outputs: {counts},
      uniforms,
      workgroups: tiles,
    });
    ofTiles.tileCounts = counts;
  }
  if (otherTiles === 'tileSums') {
    const sums = makeOutput(backend, [digits, tiles], 'int32');
    sumRows(backend, {name, x: ofTiles.tileCounts, y: sums, exclusive: false});
    ofTiles.tileSums = sums;
  }
  const hasIndices = from.indices != null;
  runProgram(backend, moveProgram(name, {digits, numValues, hasIndices, otherTiles, isBound}), {
    inputs: {...inputs, ...ofTiles},
    outputs,
    uniforms,
    workgroups: tiles,
  });
  Object.values(ofTiles).forEach(({dataId}) => backend.disposeData(dataId));
}

/** Of a key as it was read: it as it counts, and its digit. */
function keysAndDigits(digits: number, isBound: boolean): string {
  return `
    fn keyOf(key : i32) -> i32 { return ${isBound ? 'i32(min(u32(key), uniforms.bound))' : 'key'}; }
    fn digitOf(key : i32) -> u32 {
      return ((u32(key) >> uniforms.shift) & ${digits - 1}u) ^ uniforms.flip;
    }`;
}

const UNIFORMS = {size: 'u32', shift: 'u32', flip: 'u32', tiles: 'u32', bound: 'u32'} as const;

/** One workgroup a tile. Counts lie digit by digit, so that those of a digit can be summed in a row. */
function countProgram(name: string, digits: number, isBound: boolean): Program {
  return {
    name,
    variant: `count ${digits} ${isBound}`,
    inputs: {keys: 'i32'},
    outputs: {counts: 'i32'},
    uniforms: UNIFORMS,
    workgroupSize: LANES,
    declarations: () => [countDeclarations(COUNTERS), keysAndDigits(digits, isBound)].join('\n'),
    main: () =>
      countTile({
        begin: `(group * ${TILE}u)`,
        end: 'uniforms.size',
        bound: `${digits}u`,
        copies: `${counterCopies(digits, COUNTERS)}u`,
        load: (i) => `digitOf(keyOf(keys[${i}]))`,
        store: (value, count) => `counts[${value} * uniforms.tiles + group] = ${count};`,
      }),
  };
}

/** The counts of a digit over all tiles, and over those before this one. */
const SUM_TILES = {
  tileCounts: `
    let row = lane * uniforms.tiles;
    total = 0;
    for (var tile = 0u; tile < uniforms.tiles; tile++) {
      let count = tileCounts[row + tile];
      total += count;
      beforeTile += select(0, count, tile < group);
    }`,
  tileSums: `
    let row = lane * uniforms.tiles;
    total = tileSums[row + uniforms.tiles - 1u];
    beforeTile = tileSums[row + group] - tileCount;`,
};

/**
 * One workgroup a tile, one team of 32 lanes a contiguous part of it, 32 keys at a time. The lanes of a
 * team that have the same digit find each other in a mask, and so their ranks: what subgroups would
 * vote on, on every device.
 */
function moveProgram(
  name: string,
  {
    digits,
    numValues,
    hasIndices,
    otherTiles,
    isBound,
  }: {
    digits: number;
    numValues?: number;
    hasIndices: boolean;
    otherTiles: OtherTiles;
    isBound: boolean;
  },
): Program {
  const slots = TEAMS * digits;
  return {
    name,
    variant: `move ${digits} ${numValues} ${hasIndices} ${otherTiles} ${isBound}`,
    inputs: {
      keys: 'i32',
      ...(hasIndices ? {indices: 'i32'} : {}),
      ...(otherTiles === 'none' ? {} : {[otherTiles]: 'i32'}),
    },
    outputs: {
      sortedKeys: 'i32',
      sortedIndices: 'i32',
      ...(numValues == null ? {} : {counts: 'i32', bins: 'i32'}),
    },
    uniforms: UNIFORMS,
    workgroupSize: LANES,
    declarations: () => `
      // Which lanes of a team have a digit, in this round; how many had it in the rounds before, and
      // at last where the first of them goes.
      var<workgroup> masks : array<atomic<u32>, ${slots}>;
      var<workgroup> starts : array<i32, ${slots}>;
      ${sumBefore('starts', digits)}
      ${keysAndDigits(digits, isBound)}`,
    main: () => `
      let team = lane / ${TEAM}u;
      let bit = 1u << (lane % ${TEAM}u);
      let first = group * ${TILE}u + team * ${TILE / TEAMS}u + lane % ${TEAM}u;
      ${unroll(
        ROUNDS,
        (round) => `
          let i${round} = first + ${round * TEAM}u;
          let isKey${round} = i${round} < uniforms.size;
          var key${round} = 0;
          var index${round} = i32(i${round});
          if (isKey${round}) {
            key${round} = keyOf(keys[i${round}]);
            ${hasIndices ? `index${round} = indices[i${round}];` : ''}
          }
          let slot${round} = team * ${digits}u + digitOf(key${round});`,
      )}
      // Memory of a workgroup begins as zeros.
      ${unroll(
        ROUNDS,
        (round) => `
          if (isKey${round}) { atomicOr(&masks[slot${round}], bit); }
          workgroupBarrier();
          let mask${round} = atomicLoad(&masks[slot${round}]);
          let before${round} = countOneBits(mask${round} & (bit - 1u));
          let rank${round} = starts[slot${round}] + i32(before${round});
          workgroupBarrier();
          // The first lane of a digit counts for all.
          if (isKey${round} && before${round} == 0u) {
            starts[slot${round}] += i32(countOneBits(mask${round}));
            atomicStore(&masks[slot${round}], 0u);
          }
          workgroupBarrier();`,
      )}

      // One lane a digit: it goes behind all lower digits, those of the tiles before, and those of the
      // teams before.
      ${unroll(TEAMS, (team) => `var count${team} = 0;`)}
      if (lane < ${digits}u) {
        ${unroll(TEAMS, (team) => `count${team} = starts[${team * digits}u + lane];`)}
      }
      var tileCount = 0;
      ${unroll(TEAMS, (team) => `tileCount += count${team};`)}
      var total = tileCount;
      var beforeTile = 0;
      ${otherTiles === 'none' ? '' : `if (lane < ${digits}u) { ${SUM_TILES[otherTiles]} }`}
      workgroupBarrier();
      let lower = sumBefore(total, lane);
      ${
        numValues == null
          ? ''
          : `if (group == 0u && lane < ${numValues}u) {
              counts[lane] = total;
              bins[lane] = lower + total;
            }`
      }
      var start = lower + beforeTile;
      if (lane < ${digits}u) {
        ${unroll(TEAMS, (team) => `starts[${team * digits}u + lane] = start; start += count${team};`)}
      }
      workgroupBarrier();
      ${unroll(
        ROUNDS,
        (round) => `
          if (isKey${round}) {
            let position = starts[slot${round}] + rank${round};
            sortedKeys[position] = key${round};
            sortedIndices[position] = index${round};
          }`,
      )}`,
  };
}
