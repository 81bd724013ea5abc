import {type FloatType, largestOf} from './float_wgsl';

// The bits of floats without a sign sort as the floats do, and NaN is the largest.

/** WGSL statements: the largest magnitude of an output, `largest_<output>`, as bits, goes on with `value`. */
export function joinMagnitude(
  output: string,
  value: string,
  type: FloatType = 'vec4<f32>',
): string {
  const largest = `largest_${output}`;
  return type === 'f32'
    ? `${largest} = max(${largest}, bitcast<u32>(${value}) & 0x7fffffffu);`
    : `{
      let bits = bitcast<vec4u>(${value}) & vec4u(0x7fffffffu);
      ${largest} = max(${largest}, ${largestOf(type, 'bits')});
    }`;
}

/** What a program adds to itself to record the largest magnitude of a tensor that it writes or reads. */
export interface MagnitudeRecord {
  /** Tells the programs that record from the same without. */
  variant: string;
  outputs: Record<string, string>;
  uniforms: Record<string, 'u32'>;
  declarations: string;
  /** WGSL statements before the first `join`. */
  begin: string;
  /** WGSL statements that go on with a value, of the type. */
  join: (value: string) => string;
  /** WGSL statements at the end, which every invocation of the workgroup must run. */
  end: string;
}

const NO_RECORD: MagnitudeRecord = {
  variant: '',
  outputs: {},
  uniforms: {},
  declarations: '',
  begin: '',
  join: () => '',
  end: '',
};

/**
 * The record of a tensor's largest magnitude, in the slot that the dispatch says; nothing where it is not
 * asked for.
 */
export function magnitudeRecord(
  tensor: string,
  type: FloatType = 'vec4<f32>',
  asked = true,
): MagnitudeRecord {
  if (!asked) {
    return NO_RECORD;
  }
  return {
    variant: ' recorded',
    outputs: {magnitudes: 'atomic<u32>'},
    uniforms: {slot: 'u32'},
    declarations: 'var<workgroup> largestOfWorkgroup : atomic<u32>;',
    begin: `var largest_${tensor} = 0u;`,
    join: (value) => joinMagnitude(tensor, value, type),
    end: `
      atomicMax(&largestOfWorkgroup, largest_${tensor});
      workgroupBarrier();
      if (lane == 0u) {
        let most = atomicLoad(&largestOfWorkgroup);
        // Most workgroups find that there is a larger one already.
        if (most > atomicLoad(&magnitudes[uniforms.slot])) {
          atomicMax(&magnitudes[uniforms.slot], most);
        }
      }`,
  };
}
