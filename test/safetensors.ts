import {readFileSync} from 'node:fs';
import {join} from 'node:path';

export interface Golden {
  shape: number[];
  dtype: string;
  values: Float32Array | Int32Array;
}

/** Reads a golden: its tensors by name, and the arguments of the case. Int64 becomes int32. */
export function readGolden(name: string): {
  tensors: Record<string, Golden>;
  args: Record<string, unknown>;
} {
  const file = readFileSync(join(__dirname, 'goldens', `${name}.safetensors`));
  // Not by the methods of Buffer, which browsers lack.
  const headerLength = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const {__metadata__: metadata, ...entries} = JSON.parse(
    new TextDecoder().decode(file.subarray(8, 8 + headerLength)),
  ) as Record<string, {dtype: string; shape: number[]; data_offsets: [number, number]}> & {
    __metadata__?: Record<string, string>;
  };
  const tensors: Record<string, Golden> = {};
  for (const [key, {dtype, shape, data_offsets: offsets}] of Object.entries(entries)) {
    const bytes = Uint8Array.from(
      file.subarray(8 + headerLength + offsets[0], 8 + headerLength + offsets[1]),
    ).buffer;
    tensors[key] = {shape, dtype, values: decode(dtype, bytes)};
  }
  return {
    tensors,
    args: JSON.parse((metadata as Record<string, string> | undefined)?.arguments ?? '{}'),
  };
}

function decode(dtype: string, bytes: ArrayBuffer): Float32Array | Int32Array {
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes);
    case 'I64':
      return Int32Array.from(new BigInt64Array(bytes), Number);
    case 'I32':
      return new Int32Array(bytes);
    case 'I16':
      return Int32Array.from(new Int16Array(bytes));
    default:
      throw new Error(`golden of dtype ${dtype}`);
  }
}
