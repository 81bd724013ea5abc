import {crc32} from './crc32';
import {decodeSafetensors, encodeSafetensors, type SafetensorsFile} from './safetensors';

// A safetensors file with a checksum in its metadata: the CRC-32 of the file in which the checksum
// itself is eight zeros. It comes first, so that it is always at the same place.

const FIELD = 'crc32';
const NO_CHECKSUM = '00000000';
const BEGIN = 8 + `{"__metadata__":{"${FIELD}":"`.length;
const END = BEGIN + NO_CHECKSUM.length;

/** The file as parts to be written one after the other; the values are not copied. */
export function encodeSealedSafetensors({tensors, metadata}: SafetensorsFile): Uint8Array[] {
  const parts = encodeSafetensors({tensors, metadata: {[FIELD]: NO_CHECKSUM, ...metadata}});
  const [length, header] = parts;
  const checksum = parts.reduce((crc, part) => crc32(part, crc), 0);
  header.set(toText(checksum), BEGIN - length.length);
  return parts;
}

/**
 * Reads such a file.
 *
 * @param name What errors call it.
 * @throws If it is cut short, damaged anywhere, or not such a file.
 */
export function decodeSealedSafetensors(bytes: Uint8Array, name: string): SafetensorsFile {
  const file = decodeSafetensors(bytes, name);
  const stored = file.metadata[FIELD];
  const computed = [
    bytes.subarray(0, BEGIN),
    new TextEncoder().encode(NO_CHECKSUM),
    bytes.subarray(END),
  ].reduce((crc, part) => crc32(part, crc), 0);
  if (stored !== new TextDecoder().decode(toText(computed))) {
    throw new Error(
      `${name}: must have the checksum ${stored}, got ${new TextDecoder().decode(toText(computed))}: it is damaged`,
    );
  }
  return file;
}

function toText(checksum: number): Uint8Array {
  return new TextEncoder().encode(checksum.toString(16).padStart(8, '0'));
}
