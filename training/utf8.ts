import {hasCode} from './error_code';

const UTF8 = new TextDecoder('utf-8', {fatal: true});

/**
 * The text of bytes in UTF-8.
 *
 * @param describe What an error says of what was found in its place.
 */
export function decodeUtf8(bytes: Uint8Array, describe: (found: string) => string): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    const found = hasCode(error, 'ERR_STRING_TOO_LONG')
      ? `${bytes.length} bytes, too many for one text`
      : 'bytes that are not UTF-8';
    throw new Error(describe(found), {cause: error});
  }
}
