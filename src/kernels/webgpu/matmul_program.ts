import type {Program} from './program';

// One product for all: dense, grouped and block-sparse kernels say which tile a workgroup computes and
// where its operands lie, and the two cores of this folder multiply, in float32 or in half precision.
//
// In WGSL a source may use `group`, `lane` and `uniforms`, and its tile must declare, as u32:
// `rowBegin`, `rowEnd`, `columnBegin`, `columnEnd` (of the result; the tile starts at the first and
// computes at most its size), `depthBegin` and `depthEnd` (what is summed over; empty for zero).

/** The two outer axes of a product a.b, rows of a and columns of b, and the one it sums over. */
export type OuterAxis = 'row' | 'column';

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
  /** WGSL of type bool: whether the operand has this lead; where not, it is zero there. */
  hasLead?: (lead: string) => string;
  /** Likewise for an inner index. */
  hasInner?: (inner: string) => string;
}

/** A product, without how it is computed. */
export interface MatMulSource {
  /** The kernel's name. */
  name: string;
  /** What its code depends on beyond the operands. */
  variant: string;
  /** Buffers besides those of the operands, by name: routing, indices. */
  inputs: Record<string, string>;
  /** The result's buffer is called `y`. */
  outputs: Record<string, string>;
  uniforms: Record<string, 'u32' | 'i32' | 'f32'>;
  declarations?: string;
  a: Operand;
  b: Operand;
  /** WGSL statements that declare the tile. Returning leaves the result as it is. */
  tile: (size: TileSize) => string;
  /** WGSL of type u32: where the element of a row and column lies in the result. */
  resultIndex: (row: string, column: string) => string;
  /** WGSL of type u32: how far the rows of the result lie apart. */
  resultStride: string;
  /** Whether four consecutive columns may be written at once. */
  resultVector: 1 | 4;
  /** WGSL of type vec4f: what is written of four columns of a row; default the sum itself. */
  epilogue?: (value: string, row: string, column: string) => string;
}

/** What one workgroup computes. */
export interface TileSize {
  rows: number;
  columns: number;
  /** How far the sum goes on between two barriers. */
  depth: number;
}

/** The leading part of a program: what both cores share. */
export function matMulProgram(
  source: MatMulSource,
  core: Pick<Program, 'workgroupSize' | 'extensions' | 'builtins' | 'main'> & {
    variant: string;
    declarations: string;
    inputs?: Record<string, string>;
    uniforms?: Record<string, 'u32' | 'i32' | 'f32'>;
  },
): Program {
  const {name, variant, a, b, inputs, outputs, uniforms, declarations = ''} = source;
  const operands = Object.fromEntries(
    [a, b].map(({buffer, vector}) => [buffer, vector === 4 ? 'vec4<f32>' : 'f32']),
  );
  return {
    ...core,
    name,
    variant: [variant, core.variant, describeOperand(a), describeOperand(b)].join('/'),
    inputs: {...operands, ...inputs, ...core.inputs},
    outputs,
    uniforms: {...uniforms, ...core.uniforms},
    declarations: () => [declarations, load('A', a), load('B', b), core.declarations].join('\n'),
  };
}

function describeOperand({depthIsInner, vector}: Operand): string {
  return `${depthIsInner ? 'depth' : 'outer'}${vector}`;
}

/**
 * A function that reads four consecutive inner elements from `inner` on, zero from `innerEnd` on or
 * where there is no such lead.
 */
function load(name: string, operand: Operand): string {
  const {buffer, vector, inner = (i) => i, hasInner} = operand;
  const has = (i: string) => (hasInner == null ? '' : ` && ${hasInner(i)}`);
  const body =
    vector === 4
      ? `if (hasLead && inner < innerEnd${has('inner')}) { return ${buffer}[(base + ${inner('inner')}) / 4u]; }
         return vec4f();`
      : `var value = vec4f();
         if (hasLead) {
           ${[0, 1, 2, 3]
             .map(
               (i) =>
                 `if (inner + ${i}u < innerEnd${has(`(inner + ${i}u)`)}) { value[${i}] = ${buffer}[base + ${inner(`(inner + ${i}u)`)}]; }`,
             )
             .join('\n')}
         }
         return value;`;
  return `
    fn load${name}(base : u32, hasLead : bool, inner : u32, innerEnd : u32) -> vec4f {
      ${body}
    }`;
}

/** WGSL statements that write four columns of a row of the result, as far as the tile goes. */
export function storeResult(
  {resultIndex, resultVector, epilogue}: MatMulSource,
  value: string,
  row: string,
  column: string,
): string {
  const result = epilogue == null ? value : epilogue(value, row, column);
  if (resultVector === 4) {
    return `
      if (${row} < rowEnd && ${column} < columnEnd) {
        y[${resultIndex(row, column)} / 4u] = ${result};
      }`;
  }
  return `
    if (${row} < rowEnd) {
      let written = ${result};
      ${[0, 1, 2, 3]
        .map(
          (i) =>
            `if (${column} + ${i}u < columnEnd) { y[${resultIndex(row, `(${column} + ${i}u)`)}] = written[${i}]; }`,
        )
        .join('\n')}
    }`;
}
