import {decodeSafetensors, encodeSafetensors, type SafetensorsFile} from './safetensors';
import {checkSeal, NO_CHECKSUM, seal} from './seal';

// A safetensors file with its checksum in its metadata, where it comes first: always at the same place.

const FIELD = 'crc32';
const BEGIN = 8 + `{"__metadata__":{"${FIELD}":"`.length;

/** The file as parts to be written one after the other, without copies of the values, and its checksum. */
export function encodeSealedSafetensors({tensors, metadata}: SafetensorsFile): {
  parts: Uint8Array[];
  checksum: string;
} {
  const parts = encodeSafetensors({tensors, metadata: {[FIELD]: NO_CHECKSUM, ...metadata}});
  const [length, header] = parts;
  const checksum = seal(parts, header.subarray(BEGIN - length.length));
  return {parts, checksum};
}

/**
 * Reads such a file. The values may be views of `bytes`.
 *
 * @param name What errors call it.
 * @throws If it is cut short, damaged anywhere, or not such a file.
 */
export function decodeSealedSafetensors(
  bytes: Uint8Array,
  name: string,
): SafetensorsFile & {checksum: string} {
  const file = decodeSafetensors(bytes, name);
  return {...file, checksum: checkSeal(bytes, BEGIN, name)};
}
