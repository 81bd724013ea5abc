import type {AttentionShape} from '../shared/CausalAttention_impl';
import {
  ATTENTION_UNIFORMS,
  attentionUniforms,
  EXP_AND_LOG,
  findTile,
  loadRows,
  type Rows,
} from './attention_wgsl';
import type {Program} from './program';
import {unroll} from './unroll';

// Causal attention by tiles: a workgroup owns a tile of rows of one head (queries, or keys in the
// gradient of keys and values), goes over the tiles of the other side that its rows see, and keeps in
// registers the scores of the two tiles and what it sums. The T x T scores are nowhere.
//
// The 128 lanes lie 16 x 8. A lane has four rows of the own tile, or twice four, 64 apart, and of every
// 32 columns four. Columns are either features, and the four are neighbours, or rows of the other
// tile: then they are 8 apart, so that the lanes write to workgroup memory without bank conflicts.

/** Lanes side by side on the columns; a row's sum goes over them. */
const ACROSS = 8;
const DOWN = 16;
const LANES = ACROSS * DOWN;
/** Columns of a group, four a lane. */
const GROUP = 4 * ACROSS;
/** Rows of a group, four a lane. */
const ROW_GROUP = 4 * DOWN;
/** Features that one workgroup sums at most; larger heads take several. */
const MAX_FEATURES = 128;

export interface AttentionTiles {
  /** Groups of four rows a lane. */
  rowGroups: 1 | 2;
  /** Rows of the other tile, in groups. */
  columnGroups: 1 | 2;
  /** How far a product goes between barriers: features of scores, or rows of the other tile. */
  depth: 16 | 32;
}

/**
 * How the tiles of a program are cut: no larger than the memory of a workgroup and the registers of a
 * lane, of which the program keeps few or many tiles, and than what there is to compute.
 */
export function attentionTiles(
  device: GPUDevice,
  {length, hiddenSize, numHeads}: AttentionShape,
  kept: 'few' | 'many',
): AttentionTiles {
  const roomy = device.limits.maxComputeWorkgroupStorageSize >= 32768;
  const smallHead = hiddenSize / numHeads <= 64;
  return {
    rowGroups: kept === 'few' && roomy && smallHead && length > ROW_GROUP ? 2 : 1,
    columnGroups: (kept === 'many' && !smallHead) || length <= GROUP ? 1 : 2,
    depth: roomy ? 32 : 16,
  };
}

/** WGSL of the programs of attention with these tiles. */
export class AttentionCode {
  /** Rows of the own tile, and of the other. */
  readonly rows: number;
  readonly columns: number;
  /** Rows of a lane. */
  readonly laneRows: number;
  readonly columnGroups: number;
  /** Of the features that a workgroup sums. */
  readonly featureGroups: number;
  /** How many workgroups share the features of a head. */
  readonly featureSlices: number;
  private readonly vector: boolean;
  private readonly rowStride: number;
  private readonly columnStride: number;
  private readonly scoreDepth: number;

  constructor(
    readonly tiles: AttentionTiles,
    headSize: number,
  ) {
    const {rowGroups, columnGroups, depth} = tiles;
    this.rows = rowGroups * ROW_GROUP;
    this.laneRows = 4 * rowGroups;
    this.columns = columnGroups * GROUP;
    this.columnGroups = columnGroups;
    const features = Math.min(headSize, MAX_FEATURES);
    this.featureGroups = Math.ceil(features / GROUP);
    this.featureSlices = Math.ceil(headSize / MAX_FEATURES);
    this.vector = headSize % 4 === 0;
    // In vectors; odd, against bank conflicts.
    this.rowStride = this.rows / 4 + 1;
    this.columnStride = (GROUP * Math.max(columnGroups, this.featureGroups)) / 4 + 1;
    this.scoreDepth = headSize <= 16 ? 16 : depth;
  }

  /** The parts of a program that all of them share. */
  program(
    {
      inputs,
      outputs,
      ...rest
    }: Pick<Program, 'name' | 'main'> & {
      inputs: Record<string, string>;
      outputs: Record<string, string>;
    },
    kind: string,
  ): Program {
    const {rowGroups, columnGroups, depth} = this.tiles;
    const {scoreDepth, featureGroups, featureSlices} = this;
    const elements = this.vector ? 'vec4<f32>' : 'f32';
    const typed = (buffers: Record<string, string>) =>
      Object.fromEntries(
        Object.entries(buffers).map(([name, type]) => [name, type === 'rows' ? elements : type]),
      );
    return {
      ...rest,
      variant: [
        kind,
        elements,
        rowGroups,
        columnGroups,
        depth,
        scoreDepth,
        featureGroups,
        featureSlices,
      ].join(),
      inputs: typed(inputs),
      outputs: typed(outputs),
      uniforms: ATTENTION_UNIFORMS,
      workgroupSize: LANES,
      declarations: () => `
        ${EXP_AND_LOG}
        var<workgroup> panelA : array<vec4f, ${depth * this.rowStride}>;
        var<workgroup> panelB : array<vec4f, ${depth * this.columnStride}>;
        ${loadRows('loadQkv', 'qkv', 3, this.vector)}
        ${'dy' in inputs ? loadRows('loadDy', 'dy', 1, this.vector) : ''}`,
    };
  }

  /** Statements that find the tile of this workgroup, and the lane's place in it. */
  findTile({heaviest, slices}: {heaviest: 'first' | 'last'; slices: number}): string {
    return `
      ${findTile(this.rows, heaviest, slices)}
      let firstFeature = ${slices > 1 ? `slice * ${MAX_FEATURES}u` : '0u'};
      let laneRow = lane / ${ACROSS}u;
      let laneColumn = lane % ${ACROSS}u;`;
  }

  /** Declares registers of a lane for `groups` groups of columns, as zero. */
  declare(name: string, groups: number): string {
    return this.eachVector(groups, (r, g) => `var ${name}_${r}_${g} = vec4f();`);
  }

  eachRow(f: (r: number) => string): string {
    return unroll(this.laneRows, f);
  }

  eachVector(groups: number, f: (r: number, g: number) => string): string {
    return this.eachRow((r) => unroll(groups, (g) => f(r, g)));
  }

  /** The row, of all, that is the lane's row r. */
  row(r: number): string {
    return `(rowBegin + laneRow * 4u + ${(r >> 2) * ROW_GROUP + (r & 3)}u)`;
  }

  /** The row of the other tile that is component i of a lane's group g of columns. */
  column(g: number, i: number): string {
    return `(columnBegin + laneColumn + ${g * GROUP + i * ACROSS}u)`;
  }

  /** All four components of `column`. */
  columnVector(g: number): string {
    return `(vec4<u32>(columnBegin + laneColumn) + vec4<u32>(${[0, 1, 2, 3]
      .map((i) => `${g * GROUP + i * ACROSS}u`)
      .join(', ')}))`;
  }

  /** Sets NAME = the products of the rows of the own tile with those of the other. */
  scores(name: string, own: Rows, other: Rows): string {
    return `
      ${this.eachVector(this.columnGroups, (r, g) => `${name}_${r}_${g} = vec4f();`)}
      for (var panel = 0u; panel < uniforms.headSize; panel += ${this.scoreDepth}u) {
        workgroupBarrier();
        ${this.stageTurned('panelA', this.rowStride, this.rows, own, 'own')}
        ${this.stageTurned('panelB', this.columnStride, this.columns, other, 'other')}
        workgroupBarrier();
        ${this.product(name, this.columnGroups, this.scoreDepth)}
      }`;
  }

  /**
   * Adds to NAME, own rows by features, the rows of the other tile, each as often as `coefficients`
   * say, which lie as scores do.
   */
  accumulate(name: string, coefficients: string, other: Rows): string {
    const {depth} = this.tiles;
    return unroll(this.columns / depth, (chunk) => {
      const vectors = depth * this.featureGroups * ACROSS;
      return `
        workgroupBarrier();
        ${unroll(depth / ACROSS, (step) => {
          const column = (chunk * depth) / ACROSS + step;
          const [g, i] = [column >> 2, column & 3];
          return unroll(this.laneRows / 4, (rowGroup) => {
            const values = [0, 1, 2, 3].map(
              (r) => `${coefficients}_${4 * rowGroup + r}_${g}[${i}]`,
            );
            return `panelA[(laneColumn + ${step * ACROSS}u) * ${this.rowStride}u + laneRow + ${rowGroup * DOWN}u] =
              vec4f(${values.join(', ')});`;
          });
        })}
        ${this.share(vectors, (vector) => {
          const width = this.featureGroups * ACROSS;
          return `
            let k = ${vector} / ${width}u;
            let c = ${vector} % ${width}u;
            panelB[k * ${this.columnStride}u + c] = ${other.load}(
              ${other.base}, columnBegin + ${chunk * depth}u + k, firstFeature + c * 4u);`;
        })}
        workgroupBarrier();
        ${this.product(name, this.featureGroups, depth)}`;
    });
  }

  /** Writes NAME, own rows by features, to a buffer of rows of `stride` elements. */
  store(name: string, buffer: string, base: string, stride: string): string {
    return this.eachVector(this.featureGroups, (r, g) => {
      const at = `${base} + ${this.row(r)} * ${stride} + feature`;
      const write = this.vector
        ? `if (feature < uniforms.headSize) { ${buffer}[(${at}) / 4u] = ${name}_${r}_${g}; }`
        : unroll(
            4,
            (i) =>
              `if (feature + ${i}u < uniforms.headSize) { ${buffer}[${at} + ${i}u] = ${name}_${r}_${g}[${i}]; }`,
          );
      return `
        if (${this.row(r)} < uniforms.length) {
          let feature = firstFeature + laneColumn * 4u + ${g * GROUP}u;
          ${write}
        }`;
    });
  }

  /** The workgroup array of `reduceRows`. */
  rowReduction(): string {
    return `var<workgroup> rowPartials : array<vec4f, ${ACROSS * this.rowStride}>;`;
  }

  /**
   * Reduces NAME_0 (and NAME_1), vectors of four rows of a lane, over the lanes that have the same rows:
   * all get the result.
   */
  reduceRows(name: string, combine: (a: string, b: string) => string): string {
    const groups = this.laneRows / 4;
    const partial = (lane: string, g: number) =>
      `rowPartials[${lane} * ${this.rowStride}u + laneRow + ${g * DOWN}u]`;
    return `
      workgroupBarrier();
      ${unroll(groups, (g) => `${partial('laneColumn', g)} = ${name}_${g};`)}
      workgroupBarrier();
      ${unroll(
        groups,
        (g) => `
          ${name}_${g} = ${partial('0u', g)};
          for (var i = 1u; i < ${ACROSS}u; i++) {
            ${name}_${g} = ${combine(`${name}_${g}`, partial('i', g))};
          }`,
      )}`;
  }

  /** NAME += the product of both panels, `depth` deep. */
  private product(name: string, groups: number, depth: number): string {
    return `
      for (var k = 0u; k < ${depth}u; k++) {
        ${unroll(
          this.laneRows / 4,
          (i) => `let a_${i} = panelA[k * ${this.rowStride}u + laneRow + ${i * DOWN}u];`,
        )}
        ${unroll(
          groups,
          (g) => `let b_${g} = panelB[k * ${this.columnStride}u + laneColumn + ${g * ACROSS}u];`,
        )}
        ${this.eachVector(
          groups,
          (r, g) =>
            `${name}_${r}_${g} = fma(vec4f(a_${r >> 2}[${r & 3}]), b_${g}, ${name}_${r}_${g});`,
        )}
      }`;
  }

  /**
   * Stages `size` rows from the feature `panel` on, features first: a lane turns blocks of 4 x 4. Two
   * neighbours read 32 bytes of a row, a whole sector; more would write to the same banks.
   */
  private stageTurned(
    panel: string,
    stride: number,
    size: number,
    {load, base}: Rows,
    side: 'own' | 'other',
  ): string {
    return this.share((size / 4) * (this.scoreDepth / 4), (block) => {
      const row = (i: number) =>
        side === 'own'
          ? `rowBegin + outer * 4u + ${i}u`
          : `columnBegin + outer / ${ACROSS}u * ${GROUP}u + outer % ${ACROSS}u + ${i * ACROSS}u`;
      return `
        let k = (${block} % 2u + ${block} / ${size / 2}u * 2u) * 4u;
        let outer = ${block} / 2u % ${size / 4}u;
        ${unroll(4, (i) => `let row_${i} = ${load}(${base}, ${row(i)}, panel + k);`)}
        ${unroll(
          4,
          (i) =>
            `${panel}[(k + ${i}u) * ${stride}u + outer] = vec4f(row_0[${i}], row_1[${i}], row_2[${i}], row_3[${i}]);`,
        )}`;
    });
  }

  /** Shares `count` pieces of work among the lanes. */
  private share(count: number, f: (piece: string) => string): string {
    return unroll(Math.ceil(count / LANES), (i) => {
      const body = `let piece = lane + ${i * LANES}u; ${f('piece')}`;
      return (i + 1) * LANES <= count
        ? `{ ${body} }`
        : `if (lane < ${count - i * LANES}u) { ${body} }`;
    });
  }

  /** What a dispatch of the program needs. */
  uniforms(shape: AttentionShape) {
    return attentionUniforms(shape, this.rows);
  }

  workgroups({batch, length, numHeads}: AttentionShape, slices: number): number {
    return batch * numHeads * Math.ceil(length / this.rows) * slices;
  }
}
