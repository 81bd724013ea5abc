import type {Program} from './program';
import {unroll} from './unroll';

// One product for all: dense, grouped and block-sparse kernels say which tile a workgroup computes and
// where its operands lie, and the two cores of this folder multiply, in float32 or in half precision.
//
// In WGSL a source may use `group`, `lane` and `uniforms`, and its tile must declare, as u32:
// `rowBegin`, `rowEnd`, `columnBegin`, `columnEnd` (of the result; the tile starts at the first and
// computes at most its size), `depthBegin` and `depthEnd` (what is summed over; empty for zero).

/** Where an operand lies: element (lead, inner) is at `base(lead) + inner` of its buffer. */
export interface Operand {
  /** Its buffer, one of the source's inputs, of float32. */
  buffer: string;
  /** Whether its contiguous axis is the one that is summed over; else it is its outer axis. */
  depthIsInner: boolean;
  /** Elements read at once: 4 where the inner axis and every base are multiples of 4. */
  vector: 1 | 4;
  /** WGSL of type u32: where the elements of a lead begin. */
  base: (lead: string) => string;
  /** WGSL of type u32: how far an inner index lies from the base. Default: itself. */
  inner?: (inner: string) => string;
  /** WGSL of type bool: whether the operand has this depth; where not, it is zero there. */
  hasDepth?: (depth: string) => string;
}

/** A product, without how it is computed. */
export interface MatMulSource {
  /** The kernel's name. */
  name: string;
  /** What its code depends on beyond the operands. */
  variant: string;
  /** Buffers besides those of the operands, by name: routing, indices. */
  inputs: Record<string, string>;
  /** The buffers that are written. */
  outputs: Record<string, string>;
  uniforms: Record<string, 'u32' | 'i32' | 'f32'>;
  declarations?: string;
  a: Operand;
  b: Operand;
  /**
   * WGSL statements that declare the tile. Returning leaves the result as it is. Where the core has them,
   * they may use subgroups, of this size, and `subgroup_invocation_id`.
   */
  tile: (size: TileSize, subgroupSize?: number) => string;
  /** WGSL statements that run before the panel at `panel` is read. */
  panel?: string;
  /** What becomes of the sums: written to `y` as they are, or handed to an epilogue. */
  result: MatMulResult | MatMulEpilogue;
}

/** A result that the sums are written to as they are. */
export interface MatMulResult {
  /** WGSL of type u32: where the element of a row and column lies in `y`. */
  index: (row: string, column: string) => string;
  /** Elements of `y` written at once. */
  vector: 1 | 4;
  /** WGSL of type vec4f: what is written of four columns from `column` on. Default: the sums. */
  transform?: (value: string, column: string) => string;
}

/** What is done with the sums instead. */
export interface MatMulEpilogue {
  /**
   * WGSL statements for four columns of a row: `value`, vec4f, of `row` and `column` on. All invocations
   * run them, also those whose `row` or `column` is beyond the tile, which `inside` tells.
   */
  store: (core: EpilogueCore) => string;
  /** Outputs whose largest magnitude the statements leave in `largest_<name>`, u32, as bits. */
  magnitudesOf?: readonly string[];
}

/** What a core offers to an epilogue. */
export interface EpilogueCore {
  /** How many columns `sumAcross` sums over: the invocations that hold them all get the sum. */
  width: number;
  sumAcross: (value: string) => string;
}

/** What one workgroup computes. */
export interface TileSize {
  rows: number;
  columns: number;
  /** How far the sum goes on between two barriers. */
  depth: number;
  /** How many turns of a loop are written out: more lets it read ahead, and takes longer to compile. */
  unroll: number;
}

/** Tile rows whose tiles run after one another, so that they find the same columns of b in the cache. */
const BAND = 8;

/** WGSL statements that declare `rowTile` and `columnTile`, u32, of the tile with this number. */
export function bandedTile(number: string, rowTiles: string, columnTiles: string): string {
  return `
    let band = ${number} / (${BAND}u * ${columnTiles});
    let inBand = ${number} % (${BAND}u * ${columnTiles});
    let bandRows = min(${BAND}u, ${rowTiles} - band * ${BAND}u);
    let rowTile = band * ${BAND}u + inBand % bandRows;
    let columnTile = inBand / bandRows;`;
}

/** The part of a program that a core adds. */
export type MatMulCore = Pick<
  Program,
  'workgroupSize' | 'extensions' | 'builtins' | 'uniformsChange' | 'main'
> & {
  variant: string;
  declarations: string;
  inputs?: Record<string, string>;
  outputs?: Record<string, string>;
  uniforms?: Record<string, 'u32' | 'i32' | 'f32'>;
};

/** A whole program of a source and a core. */
export function matMulProgram(source: MatMulSource, core: MatMulCore): Program {
  const {name, variant, a, b, inputs, outputs, uniforms, declarations = ''} = source;
  const operands = Object.fromEntries(
    [a, b].map(({buffer, vector}) => [buffer, vector === 4 ? 'vec4<f32>' : 'f32']),
  );
  return {
    ...core,
    name,
    variant: [variant, core.variant, describeOperand(a), describeOperand(b)].join('/'),
    inputs: {...operands, ...inputs, ...core.inputs},
    outputs: {...outputs, ...core.outputs},
    uniforms: {...uniforms, ...core.uniforms},
    declarations: () => [declarations, load('A', a), load('B', b), core.declarations].join('\n'),
  };
}

function describeOperand({depthIsInner, vector}: Operand): string {
  return `${depthIsInner ? 'depth' : 'outer'}${vector}`;
}

/**
 * A function that reads four consecutive inner elements from `inner` on.
 *
 * Vectors are read without a condition, from an index kept within the operand: behind a branch, the
 * compiler waits for each read by itself (H100, half precision: 30 instead of 180 TFLOP/s). What lies
 * beyond the depths is made zero when it is staged; what lies beyond the rows or columns may be anything,
 * since nothing of it is written. Single elements are read by conditions: they are slow anyway.
 */
function load(name: string, operand: Operand): string {
  const {buffer, depthIsInner, vector, inner = (i) => i, hasDepth} = operand;
  const signature = `fn load${name}(base : u32, inner : u32, innerEnd : u32, has : bool) -> vec4f`;
  if (vector === 4) {
    return `
      fn load${name}(base : u32, inner : u32) -> vec4f {
        return ${buffer}[(base + ${inner('inner')}) / 4u];
      }`;
  }
  const has = (depth: string) =>
    depthIsInner ? `${depth} < innerEnd${hasDepth == null ? '' : ` && ${hasDepth(depth)}`}` : 'has';
  return `
    ${signature} {
      var value = vec4f();
      ${eachOfFour(
        (i) => `{
          let at = ${depthIsInner ? `inner + ${i}u` : `min(inner + ${i}u, innerEnd - 1u)`};
          if (${has('at')}) { value[${i}] = ${buffer}[base + ${inner('at')}]; }
        }`,
      )}
      return value;
    }`;
}

/** One read of an operand. */
export interface OperandRead {
  /** WGSL statements before the first panel: what stays the same from panel to panel. */
  declare: string;
  /** WGSL statements before each read. */
  each: string;
  /** WGSL of type vec4f: what is read of the panel at `panel`. */
  value: string;
  /** WGSL of type bool, while `panel` is still the same: whether it counts, or is zero. */
  counts: string;
}

/**
 * How an operand is read at `lead` and `inner` of its panel.
 *
 * @param name Of the operand, as its loading function has it.
 * @param id Makes the names its own.
 * @param outer Which axis of the result the operand's outer axis is.
 */
export function operandRead(
  name: 'A' | 'B',
  id: string,
  outer: 'row' | 'column',
  {depthIsInner, vector, base, hasDepth}: Operand,
  lead: string,
  inner: string,
): OperandRead {
  const depth = depthIsInner ? `(panel + ${inner})` : `(panel + ${lead})`;
  const inBlock = hasDepth == null ? '' : ` && ${hasDepth(depth)}`;
  const counts = `${depth} < depthEnd${inBlock}`;
  if (depthIsInner) {
    const declare = `let base_${id} = ${base(`min(${outer}Begin + ${lead}, ${outer}End - 1u)`)};`;
    return vector === 4
      ? {
          declare,
          each: '',
          value: `load${name}(base_${id}, min(${depth}, depthEnd - 4u))`,
          counts,
        }
      : {
          declare,
          each: '',
          value: `load${name}(base_${id}, ${depth}, depthEnd, true)`,
          counts: 'true',
        };
  }
  const each = `let safe_${id} = min(${depth}, depthEnd - 1u);`;
  const at = `${outer}Begin + ${inner}`;
  return vector === 4
    ? {
        declare: `let at_${id} = min(${at}, ${outer}End - 4u);`,
        each,
        value: `load${name}(${base(`safe_${id}`)}, at_${id})`,
        counts,
      }
    : {
        declare: `let at_${id} = ${at};`,
        each,
        value: `load${name}(${base(`safe_${id}`)}, at_${id}, ${outer}End, ${counts})`,
        counts: 'true',
      };
}

/** WGSL statements that do with four columns of a row what the source asks for. */
export function storeFour({result}: MatMulSource, core: EpilogueCore): string {
  if ('store' in result) {
    return `
      let inside = row < rowEnd && column < columnEnd;
      ${result.store(core)}`;
  }
  const written = result.transform?.('value', 'column') ?? 'value';
  if (result.vector === 4) {
    return `
      if (row < rowEnd && column < columnEnd) {
        y[${result.index('row', 'column')} / 4u] = ${written};
      }`;
  }
  return `
    if (row < rowEnd) {
      let written = ${written};
      ${eachOfFour(
        (i) =>
          `if (column + ${i}u < columnEnd) { y[${result.index('row', `(column + ${i}u)`)}] = written[${i}]; }`,
      )}
    }`;
}

/** The outputs whose largest magnitude is recorded. */
export function magnitudesOf({result}: MatMulSource): readonly string[] {
  return 'store' in result ? (result.magnitudesOf ?? []) : [];
}

export function eachOfFour(f: (i: number) => string): string {
  return unroll(4, f);
}

/** What an invocation stages of a panel. */
export interface StagingSlot {
  declare: string;
  /** Reads its part of the panel at `panel` into registers. */
  read: string;
  /** Writes them to workgroup memory. */
  write: string;
}

/**
 * WGSL statements that go through the panels of a tile: each is staged, and multiplied while the next one
 * is read.
 *
 * @param depth Of a panel.
 * @param multiply Statements that add the staged panel's product to the sums.
 */
export function panelLoop(
  {panel = ''}: MatMulSource,
  slots: StagingSlot[],
  depth: number,
  multiply: string,
): string {
  const all = (part: keyof StagingSlot) => slots.map((slot) => slot[part]).join('\n');
  const read = [panel, all('read')].join('\n');
  return `
    ${all('declare')}
    var panel = depthBegin;
    if (panel < depthEnd) {
      ${read}
    }
    while (panel < depthEnd) {
      ${all('write')}
      workgroupBarrier();
      panel += ${depth}u;
      if (panel < depthEnd) {
        ${read}
      }
      ${multiply}
      workgroupBarrier();
    }`;
}
