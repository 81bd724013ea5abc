import {crc32} from './crc32';

// A file with its own checksum in it: the CRC-32 of the file in which the eight digits of the checksum are
// zeros.

/** What stands in the place of the checksum while it is computed. */
export const NO_CHECKSUM = '00000000';

/**
 * Puts the checksum of a file into its place.
 *
 * @param parts The file.
 * @param place The part of it that holds `NO_CHECKSUM`.
 * @returns The checksum.
 */
export function seal(parts: readonly Uint8Array[], place: Uint8Array): string {
  const checksum = checksumOf(parts);
  place.set(new TextEncoder().encode(checksum));
  return checksum;
}

/**
 * Checks the checksum of a file.
 *
 * @param begin Where it stands.
 * @param name What errors call the file.
 * @returns The checksum.
 * @throws If the file is damaged.
 */
export function checkSeal(bytes: Uint8Array, begin: number, name: string): string {
  const end = begin + NO_CHECKSUM.length;
  const stored = new TextDecoder().decode(bytes.subarray(begin, end));
  const zeros = new TextEncoder().encode(NO_CHECKSUM);
  const computed = checksumOf([bytes.subarray(0, begin), zeros, bytes.subarray(end)]);
  if (stored !== computed) {
    throw new Error(`${name}: must have the checksum ${stored}, got ${computed}: it is damaged`);
  }
  return computed;
}

function checksumOf(parts: readonly Uint8Array[]): string {
  const crc = parts.reduce((before, part) => crc32(part, before), 0);
  return crc.toString(16).padStart(NO_CHECKSUM.length, '0');
}
