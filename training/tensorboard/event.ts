import {crc32c} from '../crc32';

// What TensorBoard reads: a file of records, each an `Event` of TensorFlow in protocol buffers. The few
// fields that are needed are written here by their numbers.

/** One moment of a run. */
export type TensorBoardEvent = {step: number} & (
  | {fileVersion: string}
  /** A run begins or goes on: what an earlier one logged of this step and later ones does not count. */
  | {sessionStart: true}
  | {scalars: Record<string, number>}
);

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/**
 * The event as a record: its length, a check of that, the event, and a check of that.
 *
 * @param wallTime Seconds since 1970.
 */
export function encodeRecord(event: TensorBoardEvent, wallTime: number): Uint8Array {
  const data = encodeEvent(event, wallTime);
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCheck(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCheck(data), true);
  return record;
}

/** Checks of data that itself holds checks are turned, lest they agree by chance. */
function maskedCheck(bytes: Uint8Array): number {
  const check = crc32c(bytes);
  return (((check >>> 15) | (check << 17)) + 0xa282ead8) >>> 0;
}

/** @see tensorflow/core/util/event.proto */
function encodeEvent(event: TensorBoardEvent, wallTime: number): Uint8Array {
  return concatenate([
    ...[tag(1, FIXED64), fixed(8, (view) => view.setFloat64(0, wallTime, true))],
    ...(event.step > 0 ? [tag(2, VARINT), varint(event.step)] : []), // 0 is what is not there.
    ...('fileVersion' in event ? [lengthDelimited(3, encodeText(event.fileVersion))] : []),
    ...('scalars' in event ? [lengthDelimited(5, encodeSummary(event.scalars))] : []),
    // SessionLog with the status START.
    ...('sessionStart' in event
      ? [lengthDelimited(7, concatenate([tag(1, VARINT), varint(1)]))]
      : []),
  ]);
}

/** @see tensorflow/core/framework/summary.proto */
function encodeSummary(scalars: Record<string, number>): Uint8Array {
  return concatenate(
    Object.entries(scalars).map(([name, value]) =>
      lengthDelimited(
        1,
        concatenate([
          lengthDelimited(1, encodeText(name)),
          tag(2, FIXED32),
          fixed(4, (view) => view.setFloat32(0, value, true)),
        ]),
      ),
    ),
  );
}

function tag(field: number, wireType: number): Uint8Array {
  return varint((field << 3) | wireType);
}

function lengthDelimited(field: number, bytes: Uint8Array): Uint8Array {
  return concatenate([tag(field, BYTES), varint(bytes.length), bytes]);
}

/** Seven bits a byte, the lowest first; not below 0. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | 128);
  }
  return Uint8Array.from([...bytes, rest]);
}

function fixed(size: number, set: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  set(new DataView(bytes.buffer));
  return bytes;
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function concatenate(parts: Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, {length}) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
