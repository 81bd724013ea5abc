import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {crc32, crc32c, portableCrc32} from '../training/crc32';
import {RunFolder} from '../training/run_folder';
import {encodeRecord, type TensorBoardEvent} from '../training/tensorboard/event';
import {TensorBoardLog} from '../training/tensorboard/tensorboard_log';

const TIME = 1764096000.25;

// What TensorBoard 2.21 writes by its own RecordWriter and protocol buffers.
const RECORDS: [TensorBoardEvent, string][] = [
  [
    {step: 0, fileVersion: 'brain.Event:2'},
    '1800000000000000a37f4b2209000010007e49da411a0d627261696e2e4576656e743a32f40c715f',
  ],
  [
    {step: 300, sessionStart: true},
    '100000000000000095fbfe1809000010007e49da4110ac023a020801665f9f70',
  ],
  [
    {step: 3e9, scalars: {'loss/train': 2.5, 'memory/bytes': 1e9}},
    '39000000000000008b0737f109000010007e49da411080bcc1960b2a280a110a0a6c6f73732f747261696e150000' +
      '20400a130a0c6d656d6f72792f627974657315286b6e4ed9d73380',
  ],
];

describe("TensorBoard's event files", () => {
  it.each(RECORDS)('have the record of %j', (event, hex) => {
    expect(Buffer.from(encodeRecord(event, TIME)).toString('hex')).toBe(hex);
  });

  it('are one a process, with what is known of each record', () => {
    const path = mkdtempSync(join(tmpdir(), 'tensorboard-'));
    const log = new TensorBoardLog(new RunFolder(path));
    log.add({step: 5, seconds: 1, loss: 2, learningRate: 0.5});
    log.add({step: 6, seconds: 2, validationLoss: 3, tokensPerExpert: [[1, 5, 0]]});
    new TensorBoardLog(new RunFolder(path)).add({step: 6, seconds: 3, skipped: true});
    const files = readdirSync(join(path, 'tensorboard')).sort();
    expect(files.length).toBe(2);
    const [first, second] = files.map((file) => readEvents(join(path, 'tensorboard', file)));
    for (const text of ['brain.Event:2', 'loss/train', 'optimizer/learning_rate']) {
      expect(first).toContain(text);
    }
    expect(first).toContain('perplexity/validation');
    expect(first).toContain('experts/fullest_layer_1');
    expect(second).toContain('optimizer/skipped');
    expect(second).not.toContain('loss/train');
    rmSync(path, {recursive: true});
  });
});

/** The text of all events, whose lengths and checks must be right. */
function readEvents(path: string): string {
  const bytes = readFileSync(path);
  let text = '';
  for (let offset = 0; offset < bytes.length;) {
    const length = Number(bytes.readBigUInt64LE(offset));
    const data = bytes.subarray(offset + 12, offset + 12 + length);
    const masked = bytes.readUInt32LE(offset + 12 + length);
    const check = crc32c(data);
    expect(masked).toBe((((check >>> 15) | (check << 17)) + 0xa282ead8) >>> 0);
    text += data.toString('latin1');
    offset += length + 16;
  }
  return text;
}

describe('cyclic redundancy checks', () => {
  // The check values that catalogues of such codes give for this text, and those of nothing.
  it('are those of the standards', () => {
    const text = Buffer.from('123456789');
    expect(crc32c(text)).toBe(0xe3069283);
    expect(portableCrc32(text)).toBe(0xcbf43926);
    expect(crc32(text)).toBe(0xcbf43926);
    expect(crc32c(new Uint8Array())).toBe(0);
  });

  it('go on where another ended', () => {
    const bytes = Uint8Array.from({length: 1001}, (_, i) => i * 7);
    for (const check of [crc32, portableCrc32, crc32c]) {
      for (const end of [0, 1, 2, 3, 500]) {
        expect(check(bytes.subarray(end), check(bytes.subarray(0, end)))).toBe(check(bytes));
      }
    }
    expect(crc32(bytes)).toBe(portableCrc32(bytes));
  });
});
