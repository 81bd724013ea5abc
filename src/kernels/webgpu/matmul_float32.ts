import {
  matMulProgram,
  type MatMulSource,
  type Operand,
  storeResult,
  type TileSize,
} from './matmul_program';
import type {Program} from './program';

/** A tile of float32 products: every invocation keeps a block of the result in registers. */
export interface Float32Tile extends TileSize {
  /** The block of an invocation, in multiples of 4. */
  threadRows: number;
  threadColumns: number;
}

/**
 * The product in float32. Both operands are staged in workgroup memory, depth by depth, so that an
 * invocation reads its rows and columns as vectors; each stages blocks of 4 x 4, turned where the
 * operand lies the other way round. The next panel is read while the present one is multiplied.
 *
 * The rows of an invocation lie in groups of 4, a stride apart, and so do its columns: neighbours then
 * read neighbouring vectors, without bank conflicts.
 */
export function float32Program(source: MatMulSource, tile: Float32Tile): Program {
  const {rows, columns, depth, threadRows, threadColumns} = tile;
  const acrossColumns = columns / threadColumns;
  const workgroupSize = (rows / threadRows) * acrossColumns;
  const slots = stagingSlots(source, tile, workgroupSize);
  const each = (count: number, f: (i: number) => string) =>
    Array.from({length: count}, (_, i) => f(i)).join('\n');
  const rowGroups = threadRows / 4;
  const columnGroups = threadColumns / 4;
  const rowStride = rows / rowGroups;
  const columnStride = columns / columnGroups;

  return matMulProgram(source, {
    variant: `float32 ${rows}x${columns}x${depth} ${threadRows}x${threadColumns}`,
    workgroupSize,
    declarations: `
      var<workgroup> panelA : array<vec4f, ${(depth * rows) / 4}>;
      var<workgroup> panelB : array<vec4f, ${(depth * columns) / 4}>;`,
    main: () => `
      ${source.tile(tile)}
      let threadRow = lane / ${acrossColumns}u * 4u;
      let threadColumn = lane % ${acrossColumns}u * 4u;
      ${each(threadRows, (i) => each(columnGroups, (j) => `var sum_${i}_${j} = vec4f();`))}
      ${slots.map((slot) => slot.declare).join('\n')}
      var panel = depthBegin;
      if (panel < depthEnd) {
        ${slots.map((slot) => slot.read).join('\n')}
      }
      while (panel < depthEnd) {
        ${slots.map((slot) => slot.write).join('\n')}
        workgroupBarrier();
        panel += ${depth}u;
        if (panel < depthEnd) {
          ${slots.map((slot) => slot.read).join('\n')}
        }
        for (var k = 0u; k < ${depth}u; k++) {
          ${each(rowGroups, (i) => `let a_${i} = panelA[(k * ${rows}u + threadRow + ${i * rowStride}u) / 4u];`)}
          ${each(columnGroups, (j) => `let b_${j} = panelB[(k * ${columns}u + threadColumn + ${j * columnStride}u) / 4u];`)}
          ${each(threadRows, (i) =>
            each(
              columnGroups,
              (j) => `sum_${i}_${j} = fma(vec4f(a_${i >> 2}[${i & 3}]), b_${j}, sum_${i}_${j});`,
            ),
          )}
        }
        workgroupBarrier();
      }
      ${each(threadRows, (i) =>
        each(
          columnGroups,
          (j) => `{
            let row = rowBegin + threadRow + ${(i >> 2) * rowStride + (i & 3)}u;
            let column = columnBegin + threadColumn + ${j * columnStride}u;
            ${storeResult(source, `sum_${i}_${j}`, 'row', 'column')}
          }`,
        ),
      )}`,
  });
}

interface StagingSlot {
  declare: string;
  /** Reads a block of the panel at `panel` into registers. */
  read: string;
  /** Writes them to workgroup memory. */
  write: string;
}

/** How the invocations share the 4 x 4 blocks of both panels: first those of a, then those of b. */
function stagingSlots(
  {a, b}: MatMulSource,
  {rows, columns, depth}: TileSize,
  workgroupSize: number,
): StagingSlot[] {
  const blocksA = (rows * depth) / 16;
  const blocksB = (columns * depth) / 16;
  const slots = Math.ceil((blocksA + blocksB) / workgroupSize);
  return Array.from({length: slots}, (_, s) => {
    const begin = s * workgroupSize;
    const parts: {condition: string | null; block: string; side: Side}[] = [];
    if (begin < blocksA) {
      const whole = begin + workgroupSize <= blocksA;
      parts.push({
        condition: whole ? null : `lane < ${blocksA - begin}u`,
        block: `(lane + ${begin}u)`,
        side: {name: 'A', outer: 'row', operand: a, size: rows},
      });
    }
    if (begin + workgroupSize > blocksA && begin < blocksA + blocksB) {
      const from = begin < blocksA ? `lane >= ${blocksA - begin}u` : null;
      const to =
        begin + workgroupSize > blocksA + blocksB ? `lane < ${blocksA + blocksB - begin}u` : null;
      const conditions = [from, to].filter((condition) => condition != null);
      parts.push({
        condition: conditions.length > 0 ? conditions.join(' && ') : null,
        block: begin >= blocksA ? `(lane + ${begin - blocksA}u)` : `(lane - ${blocksA - begin}u)`,
        side: {name: 'B', outer: 'column', operand: b, size: columns},
      });
    }
    const guarded = (f: (part: (typeof parts)[number]) => string) =>
      parts
        .map((part) =>
          part.condition == null ? `{ ${f(part)} }` : `if (${part.condition}) { ${f(part)} }`,
        )
        .join('\n');
    return {
      declare: [0, 1, 2, 3].map((i) => `var staged_${s}_${i} = vec4f();`).join('\n'),
      read: guarded(({block, side}) => readBlock(s, block, side, depth)),
      write: guarded(({block, side}) => writeBlock(s, block, side, depth)),
    };
  });
}

interface Side {
  name: 'A' | 'B';
  outer: 'row' | 'column';
  operand: Operand;
  /** Of the tile along the outer axis. */
  size: number;
}

/** Neighbours read along the inner axis, so that their reads are one. */
function blockPosition(block: string, {operand, size}: Side, depth: number): string {
  return operand.depthIsInner
    ? `let outer = ${block} / ${depth / 4}u * 4u; let k = ${block} % ${depth / 4}u * 4u;`
    : `let outer = ${block} % ${size / 4}u * 4u; let k = ${block} / ${size / 4}u * 4u;`;
}

function readBlock(slot: number, block: string, side: Side, depth: number): string {
  const {name, outer, operand} = side;
  const {depthIsInner, base, hasLead = () => 'true'} = operand;
  const [leadBegin, leadEnd, inner, innerEnd] = depthIsInner
    ? [`${outer}Begin + outer`, `${outer}End`, 'panel + k', 'depthEnd']
    : ['panel + k', 'depthEnd', `${outer}Begin + outer`, `${outer}End`];
  return `
    ${blockPosition(block, side, depth)}
    ${[0, 1, 2, 3]
      .map(
        (i) => `{
          let lead = ${leadBegin} + ${i}u;
          let inside = lead < ${leadEnd};
          let at = select(0u, lead, inside);
          staged_${slot}_${i} = load${name}(${base('at')}, inside && ${hasLead('at')}, ${inner}, ${innerEnd});
        }`,
      )
      .join('\n')}`;
}

function writeBlock(slot: number, block: string, side: Side, depth: number): string {
  const {name, operand, size} = side;
  const staged = (i: number) => `staged_${slot}_${i}`;
  const vector = (i: number) =>
    operand.depthIsInner
      ? `vec4f(${[0, 1, 2, 3].map((j) => `${staged(j)}[${i}]`).join(', ')})`
      : staged(i);
  return `
    ${blockPosition(block, side, depth)}
    ${[0, 1, 2, 3]
      .map((i) => `panel${name}[((k + ${i}u) * ${size}u + outer) / 4u] = ${vector(i)};`)
      .join('\n')}`;
}
