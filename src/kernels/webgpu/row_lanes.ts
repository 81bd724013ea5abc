import {type FloatType, floatType, lengthOf} from './float_wgsl';
import {workgroupsFor} from './program';
import {rowWorkgroupSize} from './workgroup_row';
import {type Reduction, workgroupReduction} from './workgroup_reduction';

/** Rows of up to so many vectors are one invocation's each: to share them would mostly be to wait. */
const SHORT_ROW = 64;
const SHORT_ROW_WORKGROUP_SIZE = 64;

/**
 * How the rows of a matrix are divided among invocations: each has a short row to itself, and a workgroup
 * shares a long one.
 *
 * In WGSL, `row` is the row at hand, `begin` where it begins and `at` the vector of it at hand;
 * `uniforms.length` is how many vectors it has, and `uniforms.numRows` how many rows there are.
 */
export class RowLanes {
  readonly type: FloatType;
  /** In vectors. */
  readonly length: number;
  readonly workgroupSize: number;
  private readonly isShort: boolean;

  constructor(size: number) {
    this.type = floatType(size);
    this.length = size / lengthOf(this.type);
    this.isShort = this.length <= SHORT_ROW;
    this.workgroupSize = this.isShort ? SHORT_ROW_WORKGROUP_SIZE : rowWorkgroupSize(this.length);
  }

  /** What code depends on. */
  get variant(): string {
    return `${this.type} ${this.isShort ? 'short' : this.workgroupSize}`;
  }

  workgroups(numRows: number): number {
    return this.isShort ? workgroupsFor(numRows, this.workgroupSize) : numRows;
  }

  /** WGSL statements that find the row, and return where there is none. */
  get find(): string {
    return `
      let row = ${this.isShort ? 'index' : 'group'};
      if (row >= uniforms.numRows) { return; }
      let begin = row * uniforms.length;`;
  }

  /** WGSL statements for every vector of this invocation. */
  each(body: string): string {
    const [first, step] = this.isShort ? ['0u', 1] : ['lane', this.workgroupSize];
    return `for (var at = ${first}; at < uniforms.length; at += ${step}u) { ${body} }`;
  }

  /** WGSL: the function `fn NAME(lane : u32, value : TYPE) -> TYPE` over the invocations of a row. */
  reduction(reduction: Omit<Reduction, 'size'>): string {
    const {name, type} = reduction;
    return this.isShort
      ? `fn ${name}(lane : u32, value : ${type}) -> ${type} { return value; }`
      : workgroupReduction({...reduction, size: this.workgroupSize});
  }
}
