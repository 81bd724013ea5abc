import {type FloatType, floatType, lengthOf} from './float_wgsl';
import {workgroupsFor} from './program';
import {unroll} from './unroll';
import {type Reduction, workgroupReduction} from './workgroup_reduction';

/** Vectors that a lane of a workgroup keeps in registers. */
const MAX_SLOTS = 4;

/**
 * Rows of up to so many vectors are shared by few lanes: a whole workgroup would mostly wait. So many that
 * they read and write whole sectors of memory.
 */
const SHORT_ROW = 64;
const LANES_OF_SHORT_ROW = 4;
const SHORT_ROW_WORKGROUP_SIZE = 64;

/** Whether rows of so many elements are shared by a few lanes only. */
export function isShortRow(size: number): boolean {
  return size / lengthOf(floatType(size)) <= SHORT_ROW;
}

/** Lanes for a row of so many vectors: few where they do, since they wait for each other. */
export function rowWorkgroupSize(length: number): number {
  return length <= MAX_SLOTS * 64 ? 64 : 256;
}

/**
 * How the rows of a matrix are divided among lanes: a workgroup shares a row, or a few lanes a short one,
 * each lane every so many vectors of it. Where they are kept in registers, memory is read once.
 *
 * In WGSL, `row` is the row at hand, `begin` where it begins and `at` the vector of it at hand;
 * `uniforms.length` is how many vectors it has, and `uniforms.numRows` how many rows there are. Lanes of
 * rows that there are not come by too, with `rowLength` zero.
 */
export class RowLanes {
  readonly type: FloatType;
  /** In vectors. */
  readonly length: number;
  readonly workgroupSize: number;
  /** Vectors a lane that are kept. */
  readonly slots: number;
  readonly inRegisters: boolean;
  /** How many share a row. */
  private readonly lanes: number;

  private constructor(size: number, byFew: boolean) {
    this.type = floatType(size);
    this.length = size / lengthOf(this.type);
    this.workgroupSize = byFew ? SHORT_ROW_WORKGROUP_SIZE : rowWorkgroupSize(this.length);
    this.lanes = byFew ? LANES_OF_SHORT_ROW : this.workgroupSize;
    const maxSlots = byFew ? SHORT_ROW / LANES_OF_SHORT_ROW : MAX_SLOTS;
    this.slots = Math.max(1, Math.min(maxSlots, Math.ceil(this.length / this.lanes)));
    this.inRegisters = this.length <= this.slots * this.lanes;
  }

  /** Every row is shared by a workgroup. */
  static ofWorkgroup(size: number): RowLanes {
    return new RowLanes(size, false);
  }

  /** Short rows are shared by a few lanes. */
  static ofAny(size: number): RowLanes {
    return new RowLanes(size, isShortRow(size));
  }

  /** What code depends on. */
  get variant(): string {
    const {type, lanes, workgroupSize, slots, inRegisters} = this;
    return `${type} ${lanes}/${workgroupSize} ${inRegisters ? slots : 'long'}`;
  }

  workgroups(numRows: number): number {
    return workgroupsFor(numRows * this.lanes, this.workgroupSize);
  }

  /** WGSL statements that find the row. */
  get find(): string {
    return `
      let row = ${this.lanes === this.workgroupSize ? 'group' : `index / ${this.lanes}u`};
      let rowLength = select(0u, uniforms.length, row < uniforms.numRows);
      let begin = row * uniforms.length;`;
  }

  /** The value of an expression over `at`. */
  value(name: string, expression: string): RowValue {
    return {name, expression};
  }

  /** WGSL statements that bring values into registers. */
  read(...values: RowValue[]): string {
    if (!this.inRegisters) {
      return '';
    }
    return values
      .map(
        ({name, expression}) =>
          this.eachSlot((slot) => `var ${name}_${slot} = ${this.type}();`) +
          this.eachVectorKept((slot) => `${name}_${slot} = ${expression};`),
      )
      .join('');
  }

  /** WGSL statements for every vector of the lane; `get` gives what `read` has read. */
  forEach(body: (get: (value: RowValue) => string) => string): string {
    if (this.inRegisters) {
      return this.eachVectorKept((slot) => body(({name}) => `${name}_${slot}`));
    }
    return `
      for (var at = ${this.lane}; at < rowLength; at += ${this.lanes}u) {
        ${body(({expression}) => expression)}
      }`;
  }

  /** WGSL: the function `fn NAME(lane : u32, value : TYPE) -> TYPE` over the lanes of a row. */
  reduction(reduction: Omit<Reduction, 'size'>): string {
    const {lanes, workgroupSize} = this;
    return workgroupReduction({...reduction, size: lanes, teams: workgroupSize / lanes});
  }

  eachSlot(f: (slot: number) => string): string {
    return unroll(this.slots, f);
  }

  private eachVectorKept(f: (slot: number) => string): string {
    return this.eachSlot(
      (slot) => `
        {
          let at = ${this.lane} + ${slot * this.lanes}u;
          if (at < rowLength) { ${f(slot)} }
        }`,
    );
  }

  /** WGSL: the lane among those of its row. */
  private get lane(): string {
    return this.lanes === this.workgroupSize ? 'lane' : `(lane % ${this.lanes}u)`;
  }
}

export interface RowValue {
  name: string;
  expression: string;
}
