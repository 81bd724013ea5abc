// The dtypes of Megatron-LM's indexed data sets, by the code that stands in the index file.

/** The values of a data set, in its own dtype. */
export type TokenArray =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float64Array
  | Float32Array
  | Uint16Array;

interface TokenArrayConstructor {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer): TokenArray;
}

/** A dtype as an index file names it, and as JavaScript holds it. */
interface Dtype {
  code: number;
  arrayType: TokenArrayConstructor;
}

const DTYPES = {
  uint8: {code: 1, arrayType: Uint8Array},
  int8: {code: 2, arrayType: Int8Array},
  int16: {code: 3, arrayType: Int16Array},
  int32: {code: 4, arrayType: Int32Array},
  int64: {code: 5, arrayType: BigInt64Array},
  float64: {code: 6, arrayType: Float64Array},
  float32: {code: 7, arrayType: Float32Array},
  uint16: {code: 8, arrayType: Uint16Array},
} satisfies Record<string, Dtype>;

export type TokenDtype = keyof typeof DTYPES;

export const TOKEN_DTYPES = Object.keys(DTYPES) as TokenDtype[];

/** A vocabulary of fewer ids fits uint16, with some to spare for ids that stand for no token. */
const UINT16_VOCAB = 65500;

/** The dtype in which Megatron-LM saves the ids of a vocabulary of a size. */
export function dtypeOfVocab(vocabSize: number): TokenDtype {
  return vocabSize < UINT16_VOCAB ? 'uint16' : 'int32';
}

/** The code of a dtype in an index file. */
export function codeOfDtype(dtype: TokenDtype): number {
  return DTYPES[dtype].code;
}

/** The dtype of a code, undefined where there is none. */
export function dtypeOfCode(code: number): TokenDtype | undefined {
  return TOKEN_DTYPES.find((dtype) => DTYPES[dtype].code === code);
}

export function bytesOfDtype(dtype: TokenDtype): number {
  return DTYPES[dtype].arrayType.BYTES_PER_ELEMENT;
}

/** Zeros in a dtype. */
export function makeTokenArray(dtype: TokenDtype, length: number): TokenArray {
  return new DTYPES[dtype].arrayType(new ArrayBuffer(length * bytesOfDtype(dtype)));
}

/** The bytes of an array, without a copy. */
export function bytesOf({buffer, byteOffset, byteLength}: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Copies values of any dtype into one of them. A value that does not fit it wraps around. */
export function copyTokens(source: ArrayLike<number> | BigInt64Array, target: TokenArray) {
  if (source instanceof BigInt64Array && target instanceof BigInt64Array) {
    target.set(source);
  } else if (source instanceof BigInt64Array) {
    (target as Int32Array).set(Array.from(source, Number));
  } else if (target instanceof BigInt64Array) {
    target.set(Array.from(source, BigInt));
  } else {
    target.set(source);
  }
}
