import type {AttentionShape} from '../shared/CausalAttention_impl';
import {isNan} from './float_wgsl';
import {unroll} from './unroll';

// What the programs of attention share, whichever units they multiply with: a workgroup owns a tile of
// rows of one head, queries or keys, and goes over the tiles of the other side that its rows see.

/** A score that vanishes, and yet leaves room to subtract from. */
export const MASKED = '-1e30';

/** Where rows are read from: a WGSL function `load(base, row, feature)` and the base of the head. */
export interface Rows {
  load: 'loadQkv' | 'loadDy';
  base: string;
}
export const QUERIES: Rows = {load: 'loadQkv', base: 'queryBase'};
export const KEYS: Rows = {load: 'loadQkv', base: 'keyBase'};
export const VALUES: Rows = {load: 'loadQkv', base: 'valueBase'};
export const OUTPUT_GRADS: Rows = {load: 'loadDy', base: 'dyBase'};

export const ATTENTION_UNIFORMS = {
  numHeads: 'u32',
  headSize: 'u32',
  length: 'u32',
  tiles: 'u32',
  scale: 'f32',
} as const;

/** @param rows Of a tile. */
export function attentionUniforms({length, hiddenSize, numHeads}: AttentionShape, rows: number) {
  return {
    numHeads,
    headSize: hiddenSize / numHeads,
    length,
    tiles: Math.ceil(length / rows),
    scale: Math.sqrt(numHeads / hiddenSize),
  };
}

/** exp and log of vectors that leave NaN as it is: the built-in ones may make a number of it. */
export const EXP_AND_LOG = `
  fn exp4(x : vec4f) -> vec4f { return select(exp(x), x, ${isNan('vec4<f32>', 'x')}); }
  fn log4(x : vec4f) -> vec4f { return select(log(x), x, ${isNan('vec4<f32>', 'x')}); }`;

/**
 * A WGSL function that reads four features of a row of its head; zero beyond the last row and the last
 * feature.
 *
 * @param parts How many heads' features a row of the buffer holds for each head.
 * @param vector Whether the buffer is one of vectors of four.
 */
export function loadRows(name: string, buffer: string, parts: 1 | 3, vector: boolean): string {
  const at = `base + row * (uniforms.numHeads * uniforms.headSize * ${parts}u) + feature`;
  return `
    fn ${name}(base : u32, row : u32, feature : u32) -> vec4f {
      var value = vec4f();
      if (row < uniforms.length) {
        ${
          vector
            ? `if (feature < uniforms.headSize) { value = ${buffer}[(${at}) / 4u]; }`
            : unroll(
                4,
                (i) =>
                  `if (feature + ${i}u < uniforms.headSize) { value[${i}] = ${buffer}[${at} + ${i}u]; }`,
              )
        }
      }
      return value;
    }`;
}

/**
 * WGSL statements that find the tile of this workgroup: all tiles of a head come one after the other,
 * since they read the same rows, those with the most work first.
 *
 * @param rows Of a tile.
 * @param slices How many workgroups share a tile: each has another `slice`.
 */
export function findTile(rows: number, heaviest: 'first' | 'last', slices = 1): string {
  const tile = 'group % uniforms.tiles';
  return `
    ${slices > 1 ? `let slice = group / uniforms.tiles % ${slices}u;` : ''}
    let head = group / uniforms.tiles / ${slices}u;
    let rowBegin = ${heaviest === 'first' ? tile : `(uniforms.tiles - 1 - ${tile})`} * ${rows}u;
    let hiddenSize = uniforms.numHeads * uniforms.headSize;
    let firstRow = head / uniforms.numHeads * uniforms.length;
    let headFeature = head % uniforms.numHeads * uniforms.headSize;
    let queryBase = firstRow * 3 * hiddenSize + headFeature;
    let keyBase = queryBase + hiddenSize;
    let valueBase = keyBase + hiddenSize;
    let dyBase = firstRow * hiddenSize + headFeature;`;
}
