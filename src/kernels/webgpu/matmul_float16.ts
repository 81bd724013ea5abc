import {HALVES} from './float16_wgsl';
import {
  magnitudesOf,
  matMulProgram,
  type MatMulSource,
  type Operand,
  operandRead,
  panelLoop,
  type StagingSlot,
  storeFour,
  type TileSize,
} from './matmul_program';
import type {Program} from './program';
import {unroll} from './unroll';

/** A tile of half-precision products on the matrix units of the GPU. */
export interface Float16Tile extends TileSize {
  /** What one subgroup computes. */
  subgroupRows: number;
  subgroupColumns: number;
}

/** A shape that the matrix units multiply: [rows, depth] x [depth, columns]. */
export interface MatrixUnit {
  rows: number;
  columns: number;
  depth: number;
}

/** Halves between the rows of a panel, so that they begin in different banks. */
const PADDING = 8;

/**
 * The product on subgroup matrices: half-precision operands, float32 sums. The operands are scaled by
 * powers of two, taken from their largest magnitude, and rounded while they are staged; the sums are
 * scaled back.
 *
 * A panel lies in workgroup memory as its operand lies in the buffer; the matrix units read it either
 * way. The next panel is read while the present one is multiplied. The sums pass through the memory of
 * the panels, a row of units at a time, so that neighbours write whole lines (H100: up to a half faster
 * than to let the matrix units write the result).
 */
export function float16Program(
  source: MatMulSource,
  tile: Float16Tile,
  unit: MatrixUnit,
  subgroupSize: number,
): Program {
  const {rows, columns, depth, subgroupRows, subgroupColumns} = tile;
  const acrossColumns = columns / subgroupColumns;
  const subgroups = (rows / subgroupRows) * acrossColumns;
  const workgroupSize = subgroups * subgroupSize;
  const panelA = panelLayout('A', source.a, rows, depth, 0);
  const panelB = panelLayout('B', source.b, columns, depth, panelA.size);
  const unitRows = subgroupRows / unit.rows;
  const unitColumns = subgroupColumns / unit.columns;
  // In vectors of two words, as everything in workgroup memory; padded as the panels are.
  const scratchStride = (subgroupColumns + PADDING / 2) / 2;
  const scratchSize = unit.rows * scratchStride;
  const left = `subgroup_matrix_left<f16, ${unit.depth}, ${unit.rows}>`;
  const right = `subgroup_matrix_right<f16, ${unit.columns}, ${unit.depth}>`;
  const sum = `subgroup_matrix_result<f32, ${unit.columns}, ${unit.rows}>`;
  const recorded = magnitudesOf(source);
  const magnitude = (slot: string) =>
    recorded.length > 0 ? `atomicLoad(&magnitudes[${slot}])` : `magnitudes[${slot}]`;
  // A row of a subgroup's tile is held by so many of its lanes.
  const lanesOfRow = subgroupColumns / 4;

  return matMulProgram(source, {
    variant: `float16 ${rows}x${columns}x${depth} ${subgroupRows}x${subgroupColumns}`,
    extensions: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
    builtins: {subgroup_id: 'u32', subgroup_invocation_id: 'u32'},
    workgroupSize,
    ...(recorded.length > 0
      ? {outputs: {magnitudes: 'atomic<u32>'}}
      : {inputs: {magnitudes: 'u32'}}),
    // Slots are taken in turn.
    uniformsChange: true,
    uniforms: {
      magnitudeA: 'u32',
      magnitudeB: 'u32',
      ...Object.fromEntries(recorded.map((name) => [`magnitude_${name}`, 'u32' as const])),
    },
    declarations: `
      var<workgroup> panels : array<vec2u, ${Math.max(panelA.size + panelB.size, subgroups * scratchSize)}>;

      ${HALVES}

      fn plusNeighbour(x : f32, distance : u32) -> f32 { return x + subgroupShuffleXor(x, distance); }`,
    main: () => {
      const slots = [
        stagingSlots(panelA, 'row', source.a, workgroupSize),
        stagingSlots(panelB, 'column', source.b, workgroupSize),
      ].flat();
      // A subgroup without rows leaves the matrix units to the others.
      const multiply = `
        if (rowBegin + subgroupRow < rowEnd) {
        ${unroll(depth / unit.depth, (k) => {
          const k0 = k * unit.depth;
          return `{
            ${unroll(unitRows, (i) => `let a_${i} = subgroupMatrixLoad<${left}, ${panelA.majorOf('row')}>(&panels, ${panelA.offset(`(subgroupRow + ${i * unit.rows}u)`, k0)}, ${panelA.stride}u);`)}
            ${unroll(
              unitColumns,
              (j) => `{
                let b = subgroupMatrixLoad<${right}, ${panelB.majorOf('column')}>(&panels, ${panelB.offset(`(subgroupColumn + ${j * unit.columns}u)`, k0)}, ${panelB.stride}u);
                ${unroll(unitRows, (i) => `sum_${i}_${j} = subgroupMatrixMultiplyAccumulate(a_${i}, b, sum_${i}_${j});`)}
              }`,
            )}
          }`;
        })}
        }`;
      return `
      ${source.tile(tile, subgroupSize)}
      let exponentA = scalingExponent(${magnitude('uniforms.magnitudeA')});
      let exponentB = scalingExponent(${magnitude('uniforms.magnitudeB')});
      let scaleA = powerOfTwo(exponentA);
      let scaleB = powerOfTwo(exponentB);
      let subgroupRow = subgroup_id / ${acrossColumns}u * ${subgroupRows}u;
      let subgroupColumn = subgroup_id % ${acrossColumns}u * ${subgroupColumns}u;
      ${unroll(unitRows, (i) => unroll(unitColumns, (j) => `var sum_${i}_${j} : ${sum};`))}
      ${panelLoop(source, slots, depth, multiply)}
      ${recorded.map((name) => `var largest_${name} = 0u;`).join('\n')}
      let scratch = subgroup_id * ${scratchSize}u;
      ${unroll(
        unitRows,
        (i) => `
          ${unroll(unitColumns, (j) => `subgroupMatrixStore<row_major>(&panels, scratch + ${(j * unit.columns) / 2}u, sum_${i}_${j}, ${scratchStride}u);`)}
          workgroupBarrier();
          for (var turn = 0u; turn < ${(unit.rows * lanesOfRow) / subgroupSize}u; turn++) {
            let slot = turn * ${subgroupSize}u + subgroup_invocation_id;
            let unitRow = slot / ${lanesOfRow}u;
            let unitColumn = slot % ${lanesOfRow}u * 4u;
            let row = rowBegin + subgroupRow + ${i * unit.rows}u + unitRow;
            let column = columnBegin + subgroupColumn + unitColumn;
            let scratchAt = scratch + unitRow * ${scratchStride}u + unitColumn / 2u;
            let scaledSum = bitcast<vec4f>(vec4u(panels[scratchAt], panels[scratchAt + 1u]));
            let value = unscale(scaledSum, exponentA, exponentB);
            ${storeFour(source, {
              width: subgroupColumns,
              sumAcross: (x) => sumAcross(x, lanesOfRow),
            })}
          }
          workgroupBarrier();`,
      )}
      ${recorded
        .map(
          (name) => `
          let most_${name} = subgroupMax(largest_${name});
          if (subgroup_invocation_id == 0u && most_${name} > atomicLoad(&magnitudes[uniforms.magnitude_${name}])) {
            atomicMax(&magnitudes[uniforms.magnitude_${name}], most_${name});
          }`,
        )
        .join('\n')}`;
    },
  });
}

/** The sum over the `lanes` neighbours that hold a row, a power of two; all of them get it. */
function sumAcross(value: string, lanes: number): string {
  let sum = value;
  for (let distance = lanes / 2; distance >= 1; distance /= 2) {
    sum = `plusNeighbour(${sum}, ${distance}u)`;
  }
  return sum;
}

interface PanelLayout {
  name: 'A' | 'B';
  depthIsInner: boolean;
  leads: number;
  inners: number;
  /** Where the panel begins, its size and how far its leads lie apart, in vectors of four halves. */
  begin: number;
  size: number;
  stride: number;
  /** Where the unit of an outer index and a depth begins, in vectors. */
  offset: (outer: string, depth: number) => string;
  /** How the matrix units read it, given which axis of the operand is the outer one. */
  majorOf: (outer: 'row' | 'column') => 'row_major' | 'col_major';
}

function panelLayout(
  name: 'A' | 'B',
  {depthIsInner}: Operand,
  outerSize: number,
  depth: number,
  begin: number,
): PanelLayout {
  const [leads, inners] = depthIsInner ? [outerSize, depth] : [depth, outerSize];
  const stride = (inners + PADDING) / 4;
  return {
    name,
    depthIsInner,
    leads,
    inners,
    begin,
    size: leads * stride,
    stride,
    offset: (outer, k) =>
      depthIsInner
        ? `${begin + k / 4}u + ${outer} * ${stride}u`
        : `${begin + k * stride}u + ${outer} / 4u`,
    majorOf: (outer) => ((outer === 'row') === depthIsInner ? 'row_major' : 'col_major'),
  };
}

/** How the invocations share the vectors of a panel: neighbours read along the inner axis. */
function stagingSlots(
  {name, leads, inners, begin, stride}: PanelLayout,
  outer: 'row' | 'column',
  operand: Operand,
  workgroupSize: number,
): StagingSlot[] {
  const vectors = (leads * inners) / 4;
  return Array.from({length: Math.ceil(vectors / workgroupSize)}, (_, s) => {
    const id = `${name}_${s}`;
    const guard = (s + 1) * workgroupSize <= vectors ? '' : `if (vector_${id} < ${vectors}u)`;
    const read = operandRead(
      name,
      id,
      outer,
      operand,
      `(vector_${id} / ${inners / 4}u)`,
      `inner_${id}`,
    );
    return {
      declare: `
        let vector_${id} = lane + ${s * workgroupSize}u;
        let inner_${id} = vector_${id} % ${inners / 4}u * 4u;
        var staged_${id} = vec4f();
        ${read.declare}`,
      read: `${guard} {
        ${read.each}
        staged_${id} = ${read.value};
      }`,
      write: `${guard} {
        panels[${begin}u + vector_${id} / ${inners / 4}u * ${stride}u + inner_${id} / 4u] = toHalves(select(vec4f(), staged_${id} * scale${name}, ${read.counts}));
      }`,
    };
  });
}
