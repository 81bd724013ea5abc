// Cyclic redundancy checks of 32 bits, reflected: CRC-32 as in zip files, and CRC-32C (Castagnoli).

/** Four tables, so that four bytes are taken at a time. */
function makeTables(polynomial: number): Uint32Array[] {
  const tables = Array.from({length: 4}, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    }
    tables[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let i = 1; i < 4; i++) {
      const before = tables[i - 1][byte];
      tables[i][byte] = tables[0][before & 0xff] ^ (before >>> 8);
    }
  }
  return tables;
}

/** A check of bytes, or of bytes that go on after others whose check is `before`. */
type Check = (bytes: Uint8Array, before?: number) => number;

function makeCheck(polynomial: number): Check {
  const [table0, table1, table2, table3] = makeTables(polynomial);
  return (bytes, before = 0) => {
    let crc = ~before;
    let i = 0;
    for (const whole = bytes.length & ~3; i < whole; i += 4) {
      crc ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
      crc =
        table3[crc & 0xff] ^
        table2[(crc >>> 8) & 0xff] ^
        table1[(crc >>> 16) & 0xff] ^
        table0[crc >>> 24];
    }
    for (; i < bytes.length; i++) {
      crc = table0[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
    }
    return ~crc >>> 0;
  };
}

/** zlib counts bytes in 32 bits. */
const PIECE = 2 ** 30;

/** CRC-32C, of TensorBoard's event files. */
export const crc32c = makeCheck(0x82f63b78);

/** CRC-32 as everywhere, in JavaScript. */
export const portableCrc32 = makeCheck(0xedb88320);

/** CRC-32: zlib's own, which is several times as fast, where this is Node.js. */
export const crc32: Check = nodeCrc32() ?? portableCrc32;

function nodeCrc32(): Check | undefined {
  // Not imported, since browsers have no such module.
  const {process} = globalThis as {process?: {getBuiltinModule?: (name: string) => unknown}};
  const zlib = process?.getBuiltinModule?.('node:zlib') as {crc32?: Check} | undefined;
  const check = zlib?.crc32;
  return check && ((bytes, before = 0) => inPieces(bytes, before, check));
}

function inPieces(bytes: Uint8Array, before: number, check: Check): number {
  let crc = before;
  for (let begin = 0; begin < bytes.length; begin += PIECE) {
    crc = check(bytes.subarray(begin, begin + PIECE), crc);
  }
  return crc;
}
