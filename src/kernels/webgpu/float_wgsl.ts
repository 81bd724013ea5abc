// WGSL lets a compiler assume that there are no NaN and no infinities. What must survive is therefore
// looked for in the bits.

/** The types of floats that the elementwise functions come in. */
export type FloatType = 'f32' | 'vec4<f32>';

/** What a tensor whose rows (or whole) are of this many elements is read as. */
export function floatType(size: number): FloatType {
  return size % 4 === 0 ? 'vec4<f32>' : 'f32';
}

/** Elements of a value of the type. */
export function lengthOf(type: FloatType): 1 | 4 {
  return type === 'f32' ? 1 : 4;
}

/** WGSL of the type bool, or vec4<bool>: whether `value` is NaN. */
export function isNan(type: FloatType, value: string): string {
  const bits = type === 'f32' ? 'u32' : 'vec4<u32>';
  return `((bitcast<${bits}>(${value}) & ${bits}(0x7fffffffu)) > ${bits}(0x7f800000u))`;
}

/** WGSL of the type bool, or vec4<bool>: whether `value` is NaN or infinite. */
export function isNotFinite(type: FloatType, value: string): string {
  const bits = type === 'f32' ? 'u32' : 'vec4<u32>';
  return `((bitcast<${bits}>(${value}) & ${bits}(0x7f800000u)) == ${bits}(0x7f800000u))`;
}

/** WGSL of the type f32: NaN, out of `lane`, since WGSL refuses it as a constant. */
export const NAN = 'bitcast<f32>(0x7fc00000u | min(lane, 1u))';

/** WGSL of the type of the elements of `value`: the largest of them. */
export function largestOf(type: FloatType, value: string): string {
  return type === 'f32' ? value : `max(max(${value}.x, ${value}.y), max(${value}.z, ${value}.w))`;
}

/** WGSL of the type f32: the sum of the elements of `value`. */
export function sumOf(type: FloatType, value: string): string {
  return type === 'f32' ? value : `dot(${value}, vec4f(1))`;
}
