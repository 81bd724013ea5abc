import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import type {TensorInfo} from '@tensorflow/tfjs-core';
import {matricesOf, numTexels} from './layout';
import {type Program, type Run, runWithOutputs, runProgram} from './program';
import {alignLines} from './relayout';

// Products of matrices, texel by texel: 2 x 2 elements of one times 2 x 2 of the other. A fragment computes
// a tile of several texels, each into a texture of its own, so that a texel which is read serves several
// products; a last program puts the textures together.

/** In texels. */
export interface Tile {
  rows: number;
  columns: number;
}

const ONE_TEXEL: Tile = {rows: 1, columns: 1};
/** Four textures are as many as every device of WebGL2 writes at once. */
const LARGE: Tile = {rows: 2, columns: 2};

/** From these sizes on, what a tile saves is more than what it costs to put tiles together. */
const MIN_INNER_SIZE = 32;
const MIN_TEXELS = 1024;

/** The tile for a product of this shape, with sums over about so many elements. */
export function tileFor(shape: readonly number[], innerSize: number): Tile {
  const {rowTexels, columnTexels} = matricesOf(shape);
  const isLarge =
    innerSize >= MIN_INNER_SIZE &&
    numTexels(shape, 'packed') >= MIN_TEXELS &&
    rowTexels >= LARGE.rows &&
    columnTexels >= LARGE.columns;
  return isLarge ? LARGE : ONE_TEXEL;
}

/** The same for a product of blocks, which no tile may leave. */
export function tileWithin(blockSize: number, shape: readonly number[], innerSize: number): Tile {
  const fits = blockSize % (2 * LARGE.rows) === 0 && blockSize % (2 * LARGE.columns) === 0;
  return fits ? tileFor(shape, innerSize) : ONE_TEXEL;
}

/** The numbers of the texels of a tile, `[row, column]`. */
function texelsOf({rows, columns}: Tile): [number, number][] {
  return Array.from({length: rows * columns}, (_, i) => [Math.floor(i / columns), i % columns]);
}

/** The outputs of a program, in the order of `texelsOf`. */
function outputNames(tile: Tile): string[] {
  return texelsOf(tile).map(([i, j]) => `y${i}${j}`);
}

/** The transpose of 2 x 2 elements. */
export const TRANSPOSED = 'xzyw';

/** GLSL: the sums of a tile, at zero. */
export function declareSums(tile: Tile): string {
  return texelsOf(tile)
    .map(([i, j]) => `vec4 sum${i}${j} = vec4(0.0);`)
    .join('\n');
}

/** GLSL: the outputs become the sums. */
export function storeSums(tile: Tile): string {
  return texelsOf(tile)
    .map(([i, j]) => `y${i}${j} = sum${i}${j};`)
    .join('\n');
}

/** GLSL: those rows of the outputs become the sums that a condition holds for, given the row in the tile. */
export function storeRows(tile: Tile, condition: (row: number) => string): string {
  return texelsOf(tile)
    .flatMap(([i, j]) => [
      `if (${condition(2 * i)}) { y${i}${j}.xy = sum${i}${j}.xy; }`,
      `if (${condition(2 * i + 1)}) { y${i}${j}.zw = sum${i}${j}.zw; }`,
    ])
    .join('\n');
}

/** One of the two matrices of a product, as a tile reads it: each of its rows or columns, step by step. */
export interface Factor {
  /** GLSL before the loop over the steps. */
  prepare: string;
  /** GLSL before the loads of texel `k`. */
  step: string;
  /** GLSL: 2 x 2 elements in row or column `i` of the tile, at the steps of texel `k`. */
  load: (i: number) => string;
}

interface Factors {
  tile: Tile;
  /** With the steps along its columns. */
  a: Factor;
  /** With the steps along its rows. */
  b: Factor;
}

/**
 * A factor whose steps lie side by side in a packed input.
 *
 * @param input The input.
 * @param count How many rows or columns of it the tile has.
 * @param first The texel of the first of these.
 * @param begin The texel of the first step.
 * @param stepsAlong Which way the steps go.
 * @param transposed Whether the factor is the transpose of what is read.
 */
export function factorOf(
  input: string,
  {
    count,
    first,
    begin = '0',
    stepsAlong,
    transposed,
  }: {
    count: number;
    first: string;
    begin?: string;
    stepsAlong: 'rows' | 'columns';
    transposed: boolean;
  },
): Factor {
  const numbers = Array.from({length: count}, (_, i) => i);
  const transpose = transposed ? `.${TRANSPOSED}` : '';
  const place = (i: number) => `${input}_at${i}`;
  if (stepsAlong === 'columns') {
    const row = (i: number) => `${input}_line(float(${first} + ${i}) + 0.5)`;
    return {
      prepare: numbers
        .map((i) => `vec2 ${place(i)} = ${input}_place(${input}_column(${begin}), ${row(i)});`)
        .join('\n'),
      step: `float ${input}_moved = float(k) * ${input}_step;`,
      load: (i) =>
        `${input}_sample(vec2(${place(i)}.x + ${input}_moved, ${place(i)}.y))${transpose}`,
    };
  }
  return {
    prepare: [
      ...numbers.map((i) => `float ${place(i)} = ${input}_column(${first} + ${i});`),
      `float ${input}_begin = float(${begin}) + 0.5;`,
    ].join('\n'),
    step: `vec2 ${input}_here = ${input}_line(${input}_begin + float(k));`,
    load: (i) => `${input}_sample(${input}_place(${place(i)}, ${input}_here))${transpose}`,
  };
}

/** GLSL before a loop over the steps. */
export function prepareFactors({a, b}: Factors): string {
  return `${a.prepare}\n${b.prepare}`;
}

function loadFactors({tile, a, b}: Factors): string {
  const factors = [
    a.step,
    b.step,
    ...Array.from({length: tile.rows}, (_, i) => `vec4 a${i} = ${a.load(i)};`),
    ...Array.from({length: tile.columns}, (_, j) => `vec4 b${j} = ${b.load(j)};`),
  ];
  return factors.join('\n');
}

/**
 * GLSL: adds the products of both steps of texel `k` to the sums. Two statements each, since some devices
 * round a single one otherwise.
 */
export function addProducts(factors: Factors): string {
  const adds = texelsOf(factors.tile).map(
    ([i, j]) => `
      sum${i}${j} += a${i}.xxzz * b${j}.xyxy;
      sum${i}${j} += a${i}.yyww * b${j}.zwzw;`,
  );
  return `{ ${loadFactors(factors)} ${adds.join('\n')} }`;
}

/** GLSL: the same of the first step alone, or of the second. */
export function addStep(factors: Factors, step: 0 | 1): string {
  const [left, right] = step === 0 ? ['xxzz', 'xyxy'] : ['yyww', 'zwzw'];
  const adds = texelsOf(factors.tile).map(
    ([i, j]) => `sum${i}${j} += a${i}.${left} * b${j}.${right};`,
  );
  return `{ ${loadFactors(factors)} ${adds.join('\n')} }`;
}

/**
 * GLSL: a loop over the inner axis. Where its size is odd, the last texels hold one step and what lies beyond
 * the edge, which may be anything.
 */
export function productLoop(size: string, isOdd: boolean, factors: Factors): string {
  return `{
    ${prepareFactors(factors)}
    for (int k = 0; k < ${size} / 2; k++) ${addProducts(factors)}
    ${isOdd ? `{ int k = ${size} / 2; ${addStep(factors, 0)} }` : ''}
  }`;
}

/** A program for `runTiled`. */
export type ProductProgram = Omit<Program, 'layout' | 'outputs'>;

/**
 * Runs a program whose `main` sets the outputs y00, y01, ... of a tile. Its `rowTexel`, `columnTexel` and
 * `out_rowTexels` count tiles; those of every matrix of the result are its own.
 */
export function runTiled(
  backend: MathBackendWebGL,
  program: ProductProgram,
  tile: Tile,
  run: Run,
): TensorInfo {
  const outputs = outputNames(tile);
  const tiled: Program = {...program, layout: 'packed', outputs};
  for (const [name, layout] of Object.entries(program.inputs)) {
    if (layout === 'packed') {
      alignLines(backend, run.inputs[name]);
    }
  }
  const {batch, rowTexels, columnTexels} = matricesOf(run.shape);
  if (outputs.length === 1) {
    return runProgram(backend, tiled, run);
  }
  const tiles = runWithOutputs(backend, tiled, {
    ...run,
    shape: [
      batch,
      2 * Math.ceil(rowTexels / tile.rows),
      2 * Math.ceil(columnTexels / tile.columns),
    ],
  });
  const result = runProgram(backend, joinProgram(program.name, tile, rowTexels % tile.rows === 0), {
    inputs: Object.fromEntries(outputs.map((name, i) => [name, tiles[i]])),
    shape: run.shape,
  });
  tiles.forEach((texels) => backend.disposeIntermediateTensorInfo(texels));
  return result;
}

/**
 * Puts the textures of a tile together, which are all alike. Where the tiles end with every matrix, its
 * rows need not be told apart: a division is most of what there is to compute here.
 */
function joinProgram(name: string, tile: Tile, endsWithMatrix: boolean): Program {
  const names = outputNames(tile);
  const [first] = names;
  const pick = names.map((texel, i) => `i == ${i} ? ${texel}_sample(place) :`).join(' ');
  const [rowShift, columnShift] = [tile.rows, tile.columns].map(Math.log2);
  return {
    name,
    inputs: Object.fromEntries(names.map((texel) => [texel, 'packed'])),
    layout: 'packed',
    outputs: ['y'],
    main: `
      ${
        endsWithMatrix
          ? `
      int within = rowTexel;
      int row = rowTexel >> ${rowShift};`
          : `
      int batch = rowTexel / out_rowTexels;
      int within = rowTexel - batch * out_rowTexels;
      int row = batch * ${first}_rowTexels + (within >> ${rowShift});`
      }
      vec2 place = ${first}_place(
          ${first}_column(columnTexel >> ${columnShift}), ${first}_line(float(row) + 0.5));
      int i = ((within & ${tile.rows - 1}) << ${columnShift}) + (columnTexel & ${tile.columns - 1});
      y = ${pick} vec4(0.0);`,
  };
}
