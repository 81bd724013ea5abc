// The safetensors format: the length of the header (u64), the header (JSON: dtype, shape and offsets
// of each tensor), then the values, little-endian, as every machine that runs JavaScript has them.

/** A tensor on the host. */
export interface HostTensor {
  shape: number[];
  values: Float32Array | Int32Array;
}

/** Named tensors, in order, with texts that go with them. */
export interface SafetensorsFile {
  tensors: Map<string, HostTensor>;
  metadata: Record<string, string>;
}

interface HeaderEntry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const ARRAYS = {F32: Float32Array, I32: Int32Array};
const METADATA = '__metadata__';
const ALIGNMENT = 8;
const SPACE = 0x20;

/** The file as parts to be written one after the other; the values are not copied. */
export function encodeSafetensors({tensors, metadata}: SafetensorsFile): Uint8Array[] {
  const header: Record<string, HeaderEntry | Record<string, string>> = {[METADATA]: metadata};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, {shape, values}] of tensors) {
    const dtype = values instanceof Float32Array ? 'F32' : 'I32';
    header[name] = {dtype, shape, data_offsets: [offset, offset + values.byteLength]};
    parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    offset += values.byteLength;
  }
  // Not by the methods of Buffer, which browsers lack.
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padding = new Uint8Array((ALIGNMENT - (json.length % ALIGNMENT)) % ALIGNMENT).fill(SPACE);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length + padding.length), true);
  return [length, json, padding, ...parts];
}

/**
 * Reads a safetensors file of float32 and int32 tensors. Values that are aligned in `bytes`, as those of
 * whole files are, are views of them: they are not copied.
 *
 * @param name What errors call the file.
 * @throws If the file is cut short or is none, or holds another dtype.
 */
export function decodeSafetensors(bytes: Uint8Array, name: string): SafetensorsFile {
  const {header, begin} = readHeader(bytes, name);
  const {[METADATA]: metadata = {}, ...entries} = header;
  const tensors = new Map<string, HostTensor>();
  let end = begin;
  for (const [key, entry] of Object.entries(entries)) {
    assertEntry(name, key, entry);
    const {dtype, shape, data_offsets: offsets} = entry;
    const ArrayType = ARRAYS[dtype as keyof typeof ARRAYS];
    const size = shape.reduce((product, length) => product * length, 1);
    if (ArrayType == null) {
      throw new Error(`${name}: dtype of ${key} must be F32 or I32, got ${dtype}`);
    }
    if (offsets[1] - offsets[0] !== size * ArrayType.BYTES_PER_ELEMENT) {
      throw new Error(`${name}: ${key} must have the bytes of shape [${shape}], got ${offsets}`);
    }
    end = Math.max(end, begin + offsets[1]);
    if (end > bytes.length) {
      throw new Error(
        `${name}: must have ${end} bytes or more, got ${bytes.length}: it is cut short`,
      );
    }
    const stored = bytes.subarray(begin + offsets[0], begin + offsets[1]);
    // A tensor may begin anywhere in the file, but not anywhere in memory.
    const isAligned = stored.byteOffset % ArrayType.BYTES_PER_ELEMENT === 0;
    const {buffer, byteOffset} = isAligned ? stored : new Uint8Array(stored);
    tensors.set(key, {shape, values: new ArrayType(buffer as ArrayBuffer, byteOffset, size)});
  }
  return {tensors, metadata: metadata as unknown as Record<string, string>};
}

function readHeader(
  bytes: Uint8Array,
  name: string,
): {header: Record<string, HeaderEntry>; begin: number} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = bytes.length < 8 ? Infinity : 8 + Number(view.getBigUint64(0, true));
  if (begin > bytes.length) {
    throw new Error(
      `${name}: must be a safetensors file, got ${bytes.length} bytes without a header`,
    );
  }
  const header = parseObject(new TextDecoder().decode(bytes.subarray(8, begin)));
  if (header == null) {
    throw new Error(`${name}: must be a safetensors file, got a header that is not JSON`);
  }
  return {header: header as Record<string, HeaderEntry>, begin};
}

/** Undefined where a text is not an object in JSON. */
function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value != null ? value : undefined;
  } catch {
    return undefined;
  }
}

function assertEntry(name: string, key: string, entry: Partial<HeaderEntry> | null) {
  const counts = [entry?.shape, entry?.data_offsets];
  const isCounts = (values: unknown) =>
    Array.isArray(values) && values.every((value) => Number.isSafeInteger(value) && value >= 0);
  if (!counts.every(isCounts)) {
    throw new Error(
      `${name}: ${key} must have a shape and data_offsets in the header, got ${JSON.stringify(entry)}`,
    );
  }
}
