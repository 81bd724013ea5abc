import {type FloatType, floatType, lengthOf} from './float_wgsl';
import {unroll} from './unroll';

const MAX_SLOTS = 4;

/** Lanes for a row of so many vectors: few where they do, since they wait for each other. */
export function rowWorkgroupSize(length: number): number {
  return length <= MAX_SLOTS * 64 ? 64 : 256;
}

/**
 * How one workgroup reads one row: each lane every so many vectors of it, from where they are kept in
 * registers if the row is short enough, so that memory is read once.
 *
 * In WGSL, `at` is the vector of the row at hand, and `uniforms.length` how many it has.
 */
export class WorkgroupRow {
  readonly type: FloatType;
  /** In vectors. */
  readonly length: number;
  readonly workgroupSize: number;
  /** Vectors a lane that are kept. */
  readonly slots: number;
  readonly inRegisters: boolean;

  constructor(readonly size: number) {
    this.type = floatType(size);
    this.length = size / lengthOf(this.type);
    this.workgroupSize = rowWorkgroupSize(this.length);
    this.slots = Math.max(1, Math.min(MAX_SLOTS, Math.ceil(this.length / this.workgroupSize)));
    this.inRegisters = this.length <= this.slots * this.workgroupSize;
  }

  /** What code depends on. */
  get variant(): string {
    const {type, workgroupSize, slots, inRegisters} = this;
    return `${type} ${workgroupSize} ${inRegisters ? slots : 'long'}`;
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
      .map(({name, expression}) =>
        this.eachSlot(
          (slot) => `
            var ${name}_${slot} = ${this.type}();
            {
              let at = lane + ${slot * this.workgroupSize}u;
              if (at < uniforms.length) { ${name}_${slot} = ${expression}; }
            }`,
        ),
      )
      .join('');
  }

  /** WGSL statements for every vector of the lane; `get` gives what `read` has read. */
  forEach(body: (get: (value: RowValue) => string) => string): string {
    if (!this.inRegisters) {
      return `
        for (var at = lane; at < uniforms.length; at += ${this.workgroupSize}u) {
          ${body(({expression}) => expression)}
        }`;
    }
    return this.eachSlot(
      (slot) => `
        {
          let at = lane + ${slot * this.workgroupSize}u;
          if (at < uniforms.length) { ${body(({name}) => `${name}_${slot}`)} }
        }`,
    );
  }

  eachSlot(f: (slot: number) => string): string {
    return unroll(this.slots, f);
  }
}

export interface RowValue {
  name: string;
  expression: string;
}
