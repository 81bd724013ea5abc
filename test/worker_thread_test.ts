import {buildSync} from 'esbuild';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {WorkerThread} from '../training/worker_thread';

const root = join(__dirname, '..');
let folder: string;
let file: string;

// The service of these tests does what it is told.
const SERVICE = `
  import {serveRequests} from './training/worker_thread';
  void serveRequests((how) => {
    if (how === 'fails') {
      throw new Error('no service today');
    }
    if (how === 'exits') {
      process.exit(0);
    }
    const answer = (request) => {
      if (request === 'exit') {
        process.exit(0);
      }
      if (request < 0) {
        throw new Error('a root of ' + request);
      }
      return Math.sqrt(request);
    };
    return {ready: 'is ' + how, answer, transfer: () => []};
  });
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'worker-thread-'));
  file = join(folder, 'service.cjs');
  buildSync({
    stdin: {contents: SERVICE, resolveDir: root},
    outfile: file,
    bundle: true,
    format: 'cjs',
    platform: 'node',
  });
});
afterAll(() => rmSync(folder, {recursive: true}));

function start(how: string) {
  return new WorkerThread<string, number | 'exit', number>(file, how);
}

/** Holds up this thread, so that all that another one says is heard at once. */
function holdUp(milliseconds: number) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

describe('WorkerThread', () => {
  it('answers in order, and an error is the answer to one request alone', async () => {
    const thread = start('ready');
    expect(await thread.ready).toBe('is ready');
    const answers = [4, -1, 9].map((request) => thread.ask(request));
    expect(thread.pending).toBe(3);
    expect(await Promise.allSettled(answers)).toMatchObject([
      {value: 2},
      {reason: {message: 'a root of -1'}},
      {value: 3},
    ]);
    expect(thread.pending).toBe(0);
    await thread.close();
  });

  it.each([
    ['fails', 'no service today'],
    ['exits', 'a worker ended before its work'],
  ])('that %s at its start is closed, ended or not', async (how, message) => {
    const thread = start(how);
    await expect(thread.ready).rejects.toThrow(message);
    await thread.close();

    const ended = start(how);
    holdUp(500); // The error and the end are then heard together.
    await expect(ended.ready).rejects.toThrow(message);
    await sleep(100);
    await ended.close();
    await ended.close();
  });

  it('that ended rejects what was asked, and what is asked later', async () => {
    const thread = start('ready');
    await thread.ready;
    const message = 'a worker ended before its work';
    const answers = [thread.ask('exit'), thread.ask(4)];
    expect(await Promise.allSettled(answers)).toMatchObject([
      {reason: {message}},
      {reason: {message}},
    ]);
    await expect(thread.ask(4)).rejects.toThrow(message);
    await thread.close();
    await expect(thread.ask(4)).rejects.toThrow(message);
  });
});
