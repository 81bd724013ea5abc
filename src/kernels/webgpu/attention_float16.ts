import {CausalAttention, CausalAttentionGrad} from '../../kernel_names';
import type {AttentionShape} from '../shared/CausalAttention_impl';
import {
  ATTENTION_UNIFORMS,
  attentionUniforms,
  EXP_AND_LOG,
  findTile,
  KEYS,
  loadRows,
  MASKED,
  OUTPUT_GRADS,
  QUERIES,
  type Rows,
  VALUES,
} from './attention_wgsl';
import type {DeviceState} from './device_state';
import {HALVES, TARGET_EXPONENT} from './float16_wgsl';
import {largestOf} from './float_wgsl';
import {magnitudeRecord, type MagnitudeRecord} from './magnitude_wgsl';
import type {MatrixUnit} from './matmul_float16';
import type {Program} from './program';
import {unroll} from './unroll';

// Causal attention on the matrix units: half-precision operands, scaled as those of products are, and
// float32 sums. A subgroup owns as many rows as a unit has, and keeps them as matrices in its registers;
// the workgroup stages the tiles of the other side. The units hold their elements as they like, so scores
// pass through the memory of the workgroup, where a lane has a part of one row, and come back as halves.
//
// Sums cannot be scaled row by row while they are in the units. So the forward pass goes over the keys
// twice, for the largest score of each row and then for the sum, instead of correcting the sum on its way.

interface Tile {
  /** Each owns as many rows as a unit has. */
  subgroups: number;
  /** Rows of the other side. */
  columns: number;
}

/**
 * The first is taken that the workgroup has memory for. Heads of 64 on one H100: 8 x 32 is a tenth faster than
 * 4 x 64 and a quarter faster than 4 x 32.
 */
const TILES: Tile[] = [
  {subgroups: 8, columns: 32},
  {subgroups: 4, columns: 32},
];
/** Halves or floats between rows in workgroup memory, so that they begin in different banks. */
const PADDING = 8;
/** What sums of a head's features fit into registers. */
const MAX_HEAD_SIZE = 128;

const RECORD_OF_Y = magnitudeRecord('y');
const RECORD_OF_DQKV = magnitudeRecord('dqkv');

/** The programs of one size of heads on one kind of units. */
export class HalfAttention {
  /** Of the own tile. */
  readonly rows: number;
  /** Rows of the other tile. */
  private readonly columns: number;
  /** The size of a head, in whole units. */
  private readonly features: number;
  private readonly lanes: number;
  private readonly lanesOfRow: number;
  /** Vectors of four columns of a row that a lane holds. */
  private readonly vectors: number;
  /** Rows of the workgroup's memory, in vectors of two words: of staged halves, of halves and floats of scores. */
  private readonly panelStride: number;
  private readonly halfStride: number;
  private readonly scoreStride: number;
  /** Sizes, in the same. */
  private readonly panelSize: number;
  private readonly scoresSize: number;
  private readonly halvesSize: number;
  private readonly memorySize: number;

  private constructor(
    headSize: number,
    private readonly unit: MatrixUnit,
    private readonly subgroupSize: number,
    tile: Tile,
  ) {
    const {subgroups, columns} = tile;
    const whole = Math.max(unit.columns, unit.depth);
    this.features = Math.ceil(headSize / whole) * whole;
    this.columns = columns;
    this.rows = subgroups * unit.rows;
    this.lanes = subgroups * subgroupSize;
    this.lanesOfRow = subgroupSize / unit.rows;
    this.vectors = columns / 4 / this.lanesOfRow;
    this.panelStride = (this.features + PADDING) / 4;
    this.halfStride = (columns + PADDING) / 4;
    this.scoreStride = (columns + PADDING) / 2;
    this.panelSize = columns * this.panelStride;
    this.scoresSize = unit.rows * Math.max(this.scoreStride, this.panelStride);
    this.halvesSize = unit.rows * this.halfStride;
    this.memorySize = 2 * this.panelSize + subgroups * (this.scoresSize + this.halvesSize);
  }

  /** Null where the device has no units, or the heads do not fit. */
  static of(
    {multipliesInHalf, matrixUnit, subgroupSize, limits}: DeviceState,
    {hiddenSize, numHeads}: AttentionShape,
  ): HalfAttention | null {
    const headSize = hiddenSize / numHeads;
    if (!multipliesInHalf || headSize % 4 !== 0 || headSize > MAX_HEAD_SIZE) {
      return null;
    }
    return (
      TILES.map((tile) => new HalfAttention(headSize, matrixUnit!, subgroupSize, tile)).find(
        ({lanes, lanesOfRow, memorySize}) =>
          lanesOfRow >= 1 &&
          lanes <= limits.maxComputeInvocationsPerWorkgroup &&
          8 * memorySize <= limits.maxComputeWorkgroupStorageSize,
      ) ?? null
    );
  }

  /** What a dispatch of any of the programs needs, besides the slots of the magnitudes. */
  uniforms(shape: AttentionShape) {
    return attentionUniforms(shape, this.rows);
  }

  workgroups({batch, length, numHeads}: AttentionShape): number {
    return batch * numHeads * Math.ceil(length / this.rows);
  }

  /** y, [batch, T, H], of qkv. */
  forward(): Program {
    return this.program({
      name: CausalAttention,
      kind: 'forward',
      inputs: {qkv: 'vec4<f32>'},
      outputs: {y: 'vec4<f32>'},
      record: RECORD_OF_Y,
      main: () => `
        ${findTile(this.rows, 'last')}
        ${this.begin()}
        ${this.loadOwn('query', QUERIES)}
        ${this.softmax()}
        ${this.declareSums('y')}
        for (var columnBegin = 0u; columnBegin < columnEnd; columnBegin += ${this.columns}u) {
          ${this.stage([KEYS, VALUES])}
          ${this.product('query', 0)}
          ${this.eachVector(
            (i) => `
            halves[${i}] = toHalves(exp4(${this.maskedScore(i)} - largest) * ${2 ** TARGET_EXPONENT}.0);`,
          )}
          ${this.writeHalves()}
          ${this.accumulate('y', 1)}
        }
        ${RECORD_OF_Y.begin}
        ${this.storeSums('y', {
          exponents: [`${TARGET_EXPONENT}`, 'exponentQkv'],
          value: (sum) => `${sum} / weight`,
          at: 'dyBase + row * hiddenSize',
          buffer: 'y',
          record: RECORD_OF_Y,
        })}
        ${RECORD_OF_Y.end}`,
    });
  }

  /** Of each query the logarithm of the sum of its exponentials, and delta; see CausalAttentionGrad. */
  statistics(): Program {
    return this.program({
      name: CausalAttentionGrad,
      kind: 'statistics',
      inputs: {qkv: 'vec4<f32>', dy: 'vec4<f32>'},
      outputs: {statistics: 'vec2<f32>'},
      main: () => `
        ${findTile(this.rows, 'last')}
        ${this.begin()}
        ${this.loadOwn('query', QUERIES)}
        ${this.loadOwn('dy', OUTPUT_GRADS)}
        ${this.softmax('dy')}
        if (row < uniforms.length && laneOfRow == 0u) {
          statistics[head * uniforms.length + row] = vec2f(
            largest + log4(vec4f(weight)).x, delta / weight);
        }`,
    });
  }

  /** dq, into dqkv. */
  queryGrad(): Program {
    return this.program({
      name: CausalAttentionGrad,
      kind: 'queries',
      inputs: {qkv: 'vec4<f32>', dy: 'vec4<f32>', statistics: 'vec2<f32>'},
      outputs: {dqkv: 'vec4<f32>'},
      record: RECORD_OF_DQKV,
      main: () => `
        ${findTile(this.rows, 'last')}
        ${this.begin()}
        ${this.loadOwn('query', QUERIES)}
        ${this.loadOwn('dy', OUTPUT_GRADS)}
        ${this.declareSums('dq')}
        let ofRow = statistics[head * uniforms.length + min(row, uniforms.length - 1u)];
        for (var columnBegin = 0u; columnBegin < columnEnd; columnBegin += ${this.columns}u) {
          ${this.stage([KEYS, VALUES])}
          ${this.product('query', 0)}
          ${this.eachVector((i) => `p[${i}] = exp4(${this.maskedScore(i)} - ofRow.x);`)}
          workgroupBarrier();
          ${this.product('dy', 1)}
          ${this.eachVector(
            (i) => `
            let dp = unscale(${this.score(i)}, exponentDy, exponentQkv);
            halves[${i}] = toHalves(uniforms.scale * p[${i}] * (dp - ofRow.y) * scaleDs);`,
          )}
          ${this.writeHalves()}
          ${this.accumulate('dq', 0)}
        }
        ${RECORD_OF_DQKV.begin}
        ${this.storeGrad('dq', 'queryBase', 'exponentDs', 'exponentQkv')}
        ${RECORD_OF_DQKV.end}`,
    });
  }

  /** dk and dv, into dqkv. */
  keyValueGrad(): Program {
    return this.program({
      name: CausalAttentionGrad,
      kind: 'keys and values',
      inputs: {qkv: 'vec4<f32>', dy: 'vec4<f32>', statistics: 'vec2<f32>'},
      outputs: {dqkv: 'vec4<f32>'},
      record: RECORD_OF_DQKV,
      declarations: `var<workgroup> ofColumns : array<vec2f, ${this.columns}>;`,
      main: () => `
        ${findTile(this.rows, 'first')}
        ${this.begin()}
        ${this.loadOwn('key', KEYS)}
        ${this.loadOwn('value', VALUES)}
        ${this.declareSums('dk')}
        ${this.declareSums('dv')}
        let firstColumn = rowBegin / ${this.columns}u * ${this.columns}u;
        for (var columnBegin = firstColumn; columnBegin < uniforms.length; columnBegin += ${this.columns}u) {
          for (var i = lane; i < ${this.columns}u; i += ${this.lanes}u) {
            ofColumns[i] =
              statistics[head * uniforms.length + min(columnBegin + i, uniforms.length - 1u)];
          }
          ${this.stage([QUERIES, OUTPUT_GRADS])}
          ${this.product('key', 0)}
          ${this.eachVector(
            (i) => `
            let exponent =
              unscale(${this.score(i)}, exponentQkv, exponentQkv) * uniforms.scale - ${ofColumns('x')};
            let column = columnBegin + columnInTile;
            let columns = vec4u(column, column + 1u, column + 2u, column + 3u);
            let seen = (columns >= vec4u(row)) & (columns < vec4u(uniforms.length));
            p[${i}] = exp4(select(vec4f(${MASKED}), exponent, seen));
            halves[${i}] = toHalves(p[${i}] * ${2 ** TARGET_EXPONENT}.0);`,
          )}
          ${this.writeHalves()}
          ${this.accumulate('dv', 1)}
          ${this.product('value', 1)}
          ${this.eachVector(
            (i) => `
            let dp = unscale(${this.score(i)}, exponentDy, exponentQkv);
            halves[${i}] = toHalves(uniforms.scale * p[${i}] * (dp - ${ofColumns('y')}) * scaleDs);`,
          )}
          ${this.writeHalves()}
          ${this.accumulate('dk', 0)}
        }
        ${RECORD_OF_DQKV.begin}
        ${this.storeGrad('dk', 'keyBase', 'exponentDs', 'exponentQkv')}
        ${this.storeGrad('dv', 'valueBase', `${TARGET_EXPONENT}`, 'exponentDy')}
        ${RECORD_OF_DQKV.end}`,
    });
  }

  private program({
    name,
    kind,
    inputs,
    outputs,
    record,
    declarations = '',
    main,
  }: Pick<Program, 'name' | 'inputs' | 'outputs' | 'main'> & {
    kind: string;
    /** Of what it writes. */
    record?: MagnitudeRecord;
    declarations?: string;
  }): Program {
    const {unit, features, subgroupSize} = this;
    const magnitude = (slot: string) =>
      record != null ? `atomicLoad(&magnitudes[${slot}])` : `magnitudes[${slot}]`;
    const hasDy = 'dy' in inputs;
    return {
      name,
      variant: `float16 ${kind} ${features} ${this.rows}x${this.columns} ${unit.rows}x${unit.columns}x${unit.depth} ${subgroupSize}`,
      extensions: ['f16', 'subgroups', 'chromium_experimental_subgroup_matrix'],
      builtins: {subgroup_id: 'u32', subgroup_invocation_id: 'u32'},
      inputs: {...inputs, ...(record == null && {magnitudes: 'u32'})},
      outputs: {...outputs, ...record?.outputs},
      uniforms: {
        ...ATTENTION_UNIFORMS,
        magnitudeQkv: 'u32',
        ...(hasDy && {magnitudeDy: 'u32'}),
        ...record?.uniforms,
      },
      uniformsChange: true,
      workgroupSize: this.lanes,
      declarations: () => `
        ${EXP_AND_LOG}
        ${HALVES}
        ${loadRows('loadQkv', 'qkv', 3, true)}
        ${hasDy ? loadRows('loadDy', 'dy', 1, true) : ''}
        fn magnitudeOfQkv() -> u32 { return ${magnitude('uniforms.magnitudeQkv')}; }
        ${hasDy ? `fn magnitudeOfDy() -> u32 { return ${magnitude('uniforms.magnitudeDy')}; }` : ''}
        ${record?.declarations ?? ''}
        var<workgroup> memory : array<vec2u, ${this.memorySize}>;
        ${declarations}`,
      main: () => `
        let exponentQkv = scalingExponent(magnitudeOfQkv());
        let scaleQkv = powerOfTwo(exponentQkv);
        ${
          hasDy
            ? `
        let exponentDy = scalingExponent(magnitudeOfDy());
        let scaleDy = powerOfTwo(exponentDy);
        // No gradient of a score is larger.
        let mostDs = 2 * uniforms.scale * f32(uniforms.headSize)
          * bitcast<f32>(magnitudeOfDy()) * bitcast<f32>(magnitudeOfQkv());
        let exponentDs = scalingExponent(bitcast<u32>(mostDs));
        let scaleDs = powerOfTwo(exponentDs);`
            : ''
        }
        ${main()}`,
    };
  }

  /** Statements that say where this lane and its subgroup are, of a tile that `findTile` found. */
  private begin(): string {
    const {lanesOfRow, unit, scoresSize, halvesSize} = this;
    return `
      let laneOfRow = subgroup_invocation_id % ${lanesOfRow}u;
      let rowOfUnit = subgroup_invocation_id / ${lanesOfRow}u;
      let subgroupRow = rowBegin + subgroup_id * ${unit.rows}u;
      let row = subgroupRow + rowOfUnit;
      let columnEnd = min(rowBegin + ${this.rows}u, uniforms.length);
      let scoresBegin = ${2 * this.panelSize}u + subgroup_id * ${scoresSize + halvesSize}u;
      let halvesBegin = scoresBegin + ${scoresSize}u;
      var p : array<vec4f, ${this.vectors}>;
      var halves : array<vec2u, ${this.vectors}>;`;
  }

  /** Makes NAME_0, NAME_1, ... the subgroup's own rows, by units of features. */
  private loadOwn(name: string, {load, base}: Rows): string {
    const {unit, features, panelStride, subgroupSize} = this;
    const vectors = (unit.rows * features) / 4;
    const left = `subgroup_matrix_left<f16, ${unit.depth}, ${unit.rows}>`;
    return `
      for (var i = subgroup_invocation_id; i < ${vectors}u; i += ${subgroupSize}u) {
        let ownRow = i / ${features / 4}u;
        let feature = i % ${features / 4}u * 4u;
        memory[scoresBegin + ownRow * ${panelStride}u + feature / 4u] =
          toHalves(${load}(${base}, subgroupRow + ownRow, feature) * ${scaleOf(load)});
      }
      workgroupBarrier();
      ${unroll(
        features / unit.depth,
        (k) =>
          `let ${name}_${k} = subgroupMatrixLoad<${left}, row_major>(&memory, scoresBegin + ${(k * unit.depth) / 4}u, ${panelStride}u);`,
      )}
      workgroupBarrier();`;
  }

  /** Stages the tile at `columnBegin` of each kind of rows. */
  private stage(kinds: Rows[]): string {
    const {features, columns, panelStride, panelSize, lanes} = this;
    const vectors = (columns * features) / 4;
    const slots = Math.ceil(vectors / lanes);
    const each = (f: (panel: number, slot: number, rows: Rows) => string) =>
      kinds
        .map((rows, panel) =>
          unroll(slots, (slot) => {
            const code = f(panel, slot, rows);
            return (slot + 1) * lanes <= vectors
              ? code
              : `if (lane < ${vectors - slot * lanes}u) { ${code} }`;
          }),
        )
        .join('\n');
    return `
      workgroupBarrier();
      {
        var staged : array<vec4f, ${kinds.length * slots}>;
        ${each(
          (panel, slot, {load, base}) => `
            staged[${panel * slots + slot}] = ${load}(
              ${base},
              columnBegin + (lane + ${slot * lanes}u) / ${features / 4}u,
              (lane + ${slot * lanes}u) % ${features / 4}u * 4u);`,
        )}
        ${each(
          (panel, slot, {load}) => `
            memory[${panel * panelSize}u + (lane + ${slot * lanes}u) / ${features / 4}u * ${panelStride}u
              + (lane + ${slot * lanes}u) % ${features / 4}u] =
              toHalves(staged[${panel * slots + slot}] * ${scaleOf(load)});`,
        )}
      }
      workgroupBarrier();`;
  }

  /** Leaves the products of the own rows NAME with the rows of a panel where `score` reads them. */
  private product(own: string, panel: number): string {
    const {unit, features, columns, panelSize, panelStride, scoreStride} = this;
    const right = `subgroup_matrix_right<f16, ${unit.columns}, ${unit.depth}>`;
    return `
      ${unroll(columns / unit.columns, (j) => {
        const at = (k: number) =>
          `${panel * panelSize + j * unit.columns * panelStride + (k * unit.depth) / 4}u`;
        const depths = features / unit.depth;
        // A variable of this type in a loop is not zero again in its second turn (Dawn of webgpu 0.6.2).
        return `{
          ${unroll(
            depths,
            (k) => `let sum_${k} = subgroupMatrixMultiplyAccumulate(
              ${own}_${k},
              subgroupMatrixLoad<${right}, col_major>(&memory, ${at(k)}, ${panelStride}u),
              ${k === 0 ? `subgroup_matrix_result<f32, ${unit.columns}, ${unit.rows}>()` : `sum_${k - 1}`});`,
          )}
          subgroupMatrixStore<row_major>(&memory, scoresBegin + ${(j * unit.columns) / 2}u, sum_${depths - 1}, ${scoreStride}u);
        }`;
      })}
      workgroupBarrier();`;
  }

  /** Runs for every vector of four columns of the lane, which begin `columnInTile` columns into the tile. */
  private eachVector(f: (i: number) => string): string {
    return unroll(
      this.vectors,
      (i) => `{
        let columnInTile = ${4 * i * this.lanesOfRow}u + laneOfRow * 4u;
        ${f(i)}
      }`,
    );
  }

  /** A vector of what `product` left, as it is. */
  private score(i: number): string {
    const at = `scoresBegin + rowOfUnit * ${this.scoreStride}u + ${2 * i * this.lanesOfRow}u + laneOfRow * 2u`;
    return `bitcast<vec4f>(vec4u(memory[${at}], memory[${at} + 1u]))`;
  }

  /** The scores of this lane's query and four keys. */
  private maskedScore(i: number): string {
    const columns = [0, 1, 2, 3].map((j) => `columnBegin + columnInTile + ${j}u`);
    return `select(
      vec4f(${MASKED}),
      unscale(${this.score(i)}, exponentQkv, exponentQkv) * uniforms.scale,
      vec4u(${columns.join(', ')}) <= vec4u(row))`;
  }

  /** Makes the lanes' `halves` what `accumulate` multiplies. */
  private writeHalves(): string {
    return `
      ${this.eachVector(
        (i) =>
          `memory[halvesBegin + rowOfUnit * ${this.halfStride}u + columnInTile / 4u] = halves[${i}];`,
      )}
      workgroupBarrier();`;
  }

  private declareSums(name: string): string {
    const {unit, features} = this;
    return unroll(
      features / unit.columns,
      (f) => `var ${name}_${f} : subgroup_matrix_result<f32, ${unit.columns}, ${unit.rows}>;`,
    );
  }

  /** Adds to the sums NAME the rows of a panel, as often as the halves say. */
  private accumulate(name: string, panel: number): string {
    const {unit, features, columns, panelSize, panelStride, halfStride} = this;
    const left = `subgroup_matrix_left<f16, ${unit.depth}, ${unit.rows}>`;
    const right = `subgroup_matrix_right<f16, ${unit.columns}, ${unit.depth}>`;
    return unroll(columns / unit.depth, (k) => {
      const at = (f: number) =>
        `${panel * panelSize + k * unit.depth * panelStride + (f * unit.columns) / 4}u`;
      return `{
        let coefficients = subgroupMatrixLoad<${left}, row_major>(&memory, halvesBegin + ${(k * unit.depth) / 4}u, ${halfStride}u);
        ${unroll(
          features / unit.columns,
          (f) => `${name}_${f} = subgroupMatrixMultiplyAccumulate(
            coefficients,
            subgroupMatrixLoad<${right}, row_major>(&memory, ${at(f)}, ${panelStride}u),
            ${name}_${f});`,
        )}
      }`;
    });
  }

  /**
   * Goes over the keys: sets `largest`, the largest score of the lane's row, `weight`, the sum of the
   * exponentials relative to it, and, with the own rows dy, `delta`, that of their products with dp.
   */
  private softmax(dy?: string): string {
    const withDelta = (code: string) => (dy == null ? '' : code);
    return `
      // Of the lane's own columns, until all have been seen.
      var largest = f32(${MASKED});
      var weight = 0f;
      ${withDelta('var delta = 0f;')}
      for (var columnBegin = 0u; columnBegin < columnEnd; columnBegin += ${this.columns}u) {
        ${this.stage(dy == null ? [KEYS] : [KEYS, VALUES])}
        ${this.product('query', 0)}
        var most = vec4f(largest);
        ${this.eachVector(
          (i) => `
          p[${i}] = ${this.maskedScore(i)};
          most = max(most, p[${i}]);`,
        )}
        let newLargest = ${largestOf('vec4<f32>', 'most')};
        let decay = exp(largest - newLargest);
        largest = newLargest;
        weight *= decay;
        ${withDelta(`
          delta *= decay;
          workgroupBarrier();
          ${this.product(dy!, 1)}`)}
        ${this.eachVector(
          (i) => `
          let relative = exp4(p[${i}] - largest);
          weight += dot(relative, vec4f(1));
          ${withDelta(`delta += dot(relative, unscale(${this.score(i)}, exponentDy, exponentQkv));`)}`,
        )}
      }
      let largestOfLane = largest;
      ${this.acrossRow((distance) => `largest = max(largest, subgroupShuffleXor(largest, ${distance}u));`)}
      weight *= exp(largestOfLane - largest);
      ${withDelta('delta *= exp(largestOfLane - largest);')}
      ${this.acrossRow(
        (distance) => `
          weight += subgroupShuffleXor(weight, ${distance}u);
          ${withDelta(`delta += subgroupShuffleXor(delta, ${distance}u);`)}`,
      )}`;
  }

  /** Repeats what joins a lane with one so far away, until all lanes of a row have joined. */
  private acrossRow(f: (distance: number) => string): string {
    const distances: number[] = [];
    for (let distance = this.lanesOfRow / 2; distance >= 1; distance /= 2) {
      distances.push(distance);
    }
    return distances.map(f).join('\n');
  }

  private storeGrad(name: string, base: string, exponentA: string, exponentB: string): string {
    return this.storeSums(name, {
      exponents: [exponentA, exponentB],
      value: (sum) => sum,
      at: `${base} + row * 3 * hiddenSize`,
      buffer: 'dqkv',
      record: RECORD_OF_DQKV,
    });
  }

  /** Writes the sums NAME, as many columns at a time as the scores had. */
  private storeSums(
    name: string,
    {
      exponents,
      value,
      at,
      buffer,
      record,
    }: {
      /** Of the operands, to unscale the sums. */
      exponents: [string, string];
      value: (sum: string) => string;
      /** Where the lane's row begins in the buffer. */
      at: string;
      buffer: string;
      record: MagnitudeRecord;
    },
  ): string {
    const {unit, features, columns, scoreStride} = this;
    const unitsAtOnce = columns / unit.columns;
    return unroll(Math.ceil(features / columns), (piece) => {
      const units = Math.min(unitsAtOnce, features / unit.columns - piece * unitsAtOnce);
      return `
        workgroupBarrier();
        ${unroll(
          units,
          (j) =>
            `subgroupMatrixStore<row_major>(&memory, scoresBegin + ${(j * unit.columns) / 2}u, ${name}_${piece * unitsAtOnce + j}, ${scoreStride}u);`,
        )}
        workgroupBarrier();
        ${this.eachVector(
          (i) => `
          let feature = ${piece * columns}u + columnInTile;
          if (row < uniforms.length && feature < uniforms.headSize) {
            let value = ${value(`unscale(${this.score(i)}, ${exponents.join(', ')})`)};
            ${buffer}[(${at} + feature) / 4u] = value;
            ${record.join('value')}
          }`,
        )}`;
    });
  }
}

function scaleOf(load: Rows['load']): string {
  return load === 'loadQkv' ? 'scaleQkv' : 'scaleDy';
}

/** Of the four queries that a lane's columns are. */
function ofColumns(member: 'x' | 'y'): string {
  return `vec4f(${[0, 1, 2, 3].map((j) => `ofColumns[columnInTile + ${j}u].${member}`).join(', ')})`;
}
