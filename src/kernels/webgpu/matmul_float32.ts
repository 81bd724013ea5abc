import {
  eachOfFour,
  magnitudesOf,
  matMulProgram,
  type MatMulSource,
  type Operand,
  operandRead,
  type OperandRead,
  panelLoop,
  type StagingSlot,
  storeFour,
  type TileSize,
} from './matmul_program';
import type {Program} from './program';
import {unroll} from './unroll';

/** A tile of float32 products: every invocation keeps a block of the result in registers. */
export interface Float32Tile extends TileSize {
  /** The block of an invocation, in multiples of 4. */
  threadRows: number;
  threadColumns: number;
  /** Rows of a problem that keep a large GPU busy with tiles of few invocations. Default: any. */
  leastRows?: number;
}

/** Elements between the rows of a panel, so that turned blocks of two depths are in different banks. */
const PADDING = 4;
/** Blocks of one depth that neighbours write: with the padding, two depths at once have no conflict. */
const NEIGHBOURS = 4;

/** What the panels take of workgroup memory. */
export function float32PanelBytes({rows, columns, depth}: TileSize): number {
  return 4 * depth * (rows + columns + 2 * PADDING);
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
  const {rows, columns, depth, threadRows, threadColumns, unroll: depthsATurn} = tile;
  const acrossColumns = columns / threadColumns;
  const workgroupSize = (rows / threadRows) * acrossColumns;
  const rowGroups = threadRows / 4;
  const columnGroups = threadColumns / 4;
  const rowStride = rows / rowGroups;
  const columnStride = columns / columnGroups;

  return matMulProgram(source, {
    variant: `float32 ${rows}x${columns}x${depth} ${threadRows}x${threadColumns} ${depthsATurn}`,
    workgroupSize,
    declarations: `
      var<workgroup> panelA : array<vec4f, ${(depth * (rows + PADDING)) / 4}>;
      var<workgroup> panelB : array<vec4f, ${(depth * (columns + PADDING)) / 4}>;`,
    main: () => {
      const slots = stagingSlots(source, tile, workgroupSize);
      const multiplyDepth = (k: string) => `{
        let k = ${k};
        ${unroll(rowGroups, (i) => `let a_${i} = panelA[(k * ${rows + PADDING}u + threadRow + ${i * rowStride}u) / 4u];`)}
        ${unroll(columnGroups, (j) => `let b_${j} = panelB[(k * ${columns + PADDING}u + threadColumn + ${j * columnStride}u) / 4u];`)}
        ${unroll(threadRows, (i) =>
          unroll(
            columnGroups,
            (j) => `sum_${i}_${j} = fma(vec4f(a_${i >> 2}[${i & 3}]), b_${j}, sum_${i}_${j});`,
          ),
        )}
      }`;
      const multiply = `
        for (var turn = 0u; turn < ${depth}u; turn += ${depthsATurn}u) {
          ${unroll(depthsATurn, (u) => multiplyDepth(`turn + ${u}u`))}
        }`;
      return `
      ${source.tile(tile)}
      let threadRow = lane / ${acrossColumns}u * 4u;
      let threadColumn = lane % ${acrossColumns}u * 4u;
      ${unroll(threadRows, (i) => unroll(columnGroups, (j) => `var sum_${i}_${j} = vec4f();`))}
      ${panelLoop(source, slots, depth, multiply)}
      ${magnitudesOf(source)
        .map((name) => `var largest_${name} = 0u;`)
        .join('\n')}
      ${unroll(threadRows, (i) =>
        unroll(
          columnGroups,
          (j) => `{
            let value = sum_${i}_${j};
            let row = rowBegin + threadRow + ${(i >> 2) * rowStride + (i & 3)}u;
            let column = columnBegin + threadColumn + ${j * columnStride}u;
            ${storeFour(source, {width: 4, sumAcross: (x) => x})}
          }`,
        ),
      )}`;
    },
  });
}

interface Side {
  name: 'A' | 'B';
  outer: 'row' | 'column';
  operand: Operand;
  /** Of the tile along the outer axis. */
  size: number;
}

/** The part of a slot that reads one operand, and which invocations do. */
interface SlotPart {
  side: Side;
  block: string;
  condition: string;
}

/** How the invocations share the 4 x 4 blocks of both panels: first those of a, then those of b. */
function stagingSlots(
  {a, b}: MatMulSource,
  {rows, columns, depth}: TileSize,
  workgroupSize: number,
): StagingSlot[] {
  const blocksA = (rows * depth) / 16;
  const blocks = blocksA + (columns * depth) / 16;
  const sideA: Side = {name: 'A', outer: 'row', operand: a, size: rows};
  const sideB: Side = {name: 'B', outer: 'column', operand: b, size: columns};
  return Array.from({length: Math.ceil(blocks / workgroupSize)}, (_, s) => {
    const begin = s * workgroupSize;
    const end = begin + workgroupSize;
    const parts: SlotPart[] = [];
    if (begin < blocksA) {
      const condition = end <= blocksA ? 'true' : `lane < ${blocksA - begin}u`;
      parts.push({side: sideA, block: `(lane + ${begin}u)`, condition});
    }
    if (end > blocksA) {
      const from = begin < blocksA ? `lane >= ${blocksA - begin}u` : 'true';
      const to = end > blocks ? `lane < ${blocks - begin}u` : 'true';
      const block =
        begin < blocksA ? `(lane - ${blocksA - begin}u)` : `(lane + ${begin - blocksA}u)`;
      parts.push({side: sideB, block, condition: `${from} && ${to}`});
    }
    return stagingSlot(s, parts, depth);
  });
}

function stagingSlot(slot: number, parts: SlotPart[], depth: number): StagingSlot {
  const sides = parts.map(({side, block, condition}) => {
    const id = `${side.name}_${slot}`;
    const reads = [0, 1, 2, 3].map((i) =>
      operandRead(
        side.name,
        `${id}_${i}`,
        side.outer,
        side.operand,
        side.operand.depthIsInner ? `(outer_${id} + ${i}u)` : `(k_${id} + ${i}u)`,
        side.operand.depthIsInner ? `k_${id}` : `outer_${id}`,
      ),
    );
    return {side, id, condition, reads, position: blockPosition(id, block, side, depth)};
  });
  const guarded = (f: (side: (typeof sides)[number]) => string) =>
    sides.map((side) => `if (${side.condition}) { ${f(side)} }`).join('\n');
  return {
    declare: `
      ${eachOfFour((i) => `var staged_${slot}_${i} = vec4f();`)}
      ${sides.map(({position, reads}) => [position, ...reads.map((read) => read.declare)].join('\n')).join('\n')}`,
    read: guarded(({reads}) =>
      reads
        .map(
          ({each, value}, i) => `
            ${each}
            staged_${slot}_${i} = ${value};`,
        )
        .join('\n'),
    ),
    write: guarded(({side, id, reads}) => writeBlock(slot, id, side, reads)),
  };
}

/**
 * The lanes of a subgroup read along the inner axis, so that their reads are few. Where that is the depth,
 * the first few lie along the outer axis all the same: what they write together is then in banks of its own.
 */
function blockPosition(id: string, block: string, {operand, size}: Side, depth: number): string {
  const position = (outer: string, k: string) =>
    `let outer_${id} = (${outer}) * 4u; let k_${id} = (${k}) * 4u;`;
  return operand.depthIsInner
    ? position(
        `${block} / ${NEIGHBOURS * (depth / 4)}u * ${NEIGHBOURS}u + ${block} % ${NEIGHBOURS}u`,
        `${block} / ${NEIGHBOURS}u % ${depth / 4}u`,
      )
    : position(`${block} % ${size / 4}u`, `${block} / ${size / 4}u`);
}

function writeBlock(
  slot: number,
  id: string,
  {name, operand, size}: Side,
  reads: OperandRead[],
): string {
  const counted = eachOfFour(
    (i) => `let counted_${i} = select(vec4f(), staged_${slot}_${i}, ${reads[i].counts});`,
  );
  const vector = (i: number) =>
    operand.depthIsInner
      ? `vec4f(${[0, 1, 2, 3].map((j) => `counted_${j}[${i}]`).join(', ')})`
      : `counted_${i}`;
  const store = eachOfFour(
    (i) =>
      `panel${name}[((k_${id} + ${i}u) * ${size + PADDING}u + outer_${id}) / 4u] = ${vector(i)};`,
  );
  return [counted, store].join('\n');
}
