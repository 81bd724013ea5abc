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
    : `
      let bits_${output} = bitcast<vec4u>(${value}) & vec4u(0x7fffffffu);
      ${largest} = max(${largest}, ${largestOf(type, `bits_${output}`)});`;
}

/** What a program adds to itself to record the largest magnitude of a tensor in its slot. */
export const MAGNITUDE_RECORD = {
  outputs: {magnitudes: 'atomic<u32>'},
  uniforms: {slot: 'u32'},
  declarations: 'var<workgroup> largestOfWorkgroup : atomic<u32>;',
  /** WGSL statements that every invocation runs, with the largest that it has seen. */
  join: (largest: string) => `
    atomicMax(&largestOfWorkgroup, ${largest});
    workgroupBarrier();
    if (lane == 0u) {
      let most = atomicLoad(&largestOfWorkgroup);
      // Most workgroups find that there is a larger one already.
      if (most > atomicLoad(&magnitudes[uniforms.slot])) {
        atomicMax(&magnitudes[uniforms.slot], most);
      }
    }`,
} as const;
