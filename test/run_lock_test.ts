import {buildSync} from 'esbuild';
import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import fs, {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {hostname, tmpdir} from 'node:os';
import {join} from 'node:path';
import {RunLock} from '../training/run_lock';

let folder: string;
let lockFile: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'lock-')), 'runs', 'first');
  lockFile = join(folder, 'run.lock');
});
afterEach(() => rmSync(join(folder, '../..'), {recursive: true}));

describe('the lock of a run', () => {
  it('keeps a second run out until it is released', () => {
    const lock = RunLock.acquire(folder);
    expect(() => RunLock.acquire(folder)).toThrow(
      `run: folder '${folder}' must be used by one run at a time, but process ${process.pid} uses it`,
    );
    lock.release();
    expect(existsSync(lockFile)).toBe(false);
    RunLock.acquire(folder).release();
  });

  it('is taken over from a process that has ended', () => {
    RunLock.acquire(folder);
    const {pid} = spawnSync(process.execPath, ['-e', '']);
    const holder = JSON.parse(readFileSync(lockFile, 'utf8'));
    writeFileSync(lockFile, JSON.stringify({...holder, pid}));
    RunLock.acquire(folder).release();
  });

  (process.platform === 'linux' ? it : it.skip)(
    'is taken over where the number is that of another process by now',
    () => {
      RunLock.acquire(folder);
      const holder = JSON.parse(readFileSync(lockFile, 'utf8'));
      writeFileSync(lockFile, JSON.stringify({...holder, startTime: '1'}));
      RunLock.acquire(folder).release();
    },
  );

  it('is taken over where it was not written whole', () => {
    RunLock.acquire(folder);
    writeFileSync(lockFile, '{"pid"');
    RunLock.acquire(folder).release();
  });

  describe('that another process takes meanwhile', () => {
    let other: ChildProcess;
    let ended: Promise<unknown>;
    afterEach(async () => {
      jest.restoreAllMocks();
      other.kill('SIGKILL');
      await ended;
    });

    /** Another process that takes the lock and keeps it. */
    function letAnotherTakeIt() {
      const script = join(folder, '../../take.cjs');
      const taken = join(folder, '../../taken');
      buildSync({
        stdin: {
          contents: `
            import {writeFileSync} from 'node:fs';
            import {RunLock} from './training/run_lock';
            RunLock.acquire(${JSON.stringify(folder)});
            writeFileSync(${JSON.stringify(taken)}, '');
            setInterval(() => undefined, 1000);`,
          resolveDir: join(__dirname, '..'),
        },
        ...{outfile: script, bundle: true, platform: 'node'},
      });
      other = spawn(process.execPath, [script], {stdio: 'inherit'});
      ended = once(other, 'exit');
      while (!existsSync(taken)) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }

    function expectRefused() {
      expect(() => RunLock.acquire(folder)).toThrow(`but process ${other.pid} uses it`);
    }

    it('while it is written is that of one of them', () => {
      const {writevSync} = fs;
      jest.spyOn(fs, 'writevSync').mockImplementationOnce((...args) => {
        letAnotherTakeIt();
        return writevSync(...args);
      });
      expect(() => RunLock.acquire(folder)).toThrow(/but process \d+ uses it/);
      expectRefused();
    });

    it('and then removes what is left half-written is not taken from it', () => {
      const {linkSync} = fs;
      jest.spyOn(fs, 'linkSync').mockImplementationOnce((from, to) => {
        letAnotherTakeIt();
        rmSync(from);
        linkSync(from, to);
      });
      expect(() => RunLock.acquire(folder)).toThrow(/but process \d+ uses it/);
      expectRefused();
    });

    it('after it was found to be left is not taken from it', () => {
      RunLock.acquire(folder);
      writeFileSync(lockFile, '{"pid"');
      const {readFileSync} = fs;
      jest.spyOn(fs, 'readFileSync').mockImplementationOnce((...args) => {
        const text = readFileSync(...args);
        letAnotherTakeIt();
        return text;
      });
      expect(() => RunLock.acquire(folder)).toThrow(/but process \d+ uses it/);
      expectRefused();
    });

    it('where one that took it over was killed at that is taken over all the same', () => {
      RunLock.acquire(folder);
      writeFileSync(lockFile, '{"pid"');
      writeFileSync(`${lockFile}.turn`, '');
      letAnotherTakeIt();
      expectRefused();
      expect(readdirSync(folder)).toEqual(['run.lock']);
    });
  });

  it('is made on a disk without links, too', () => {
    const link = jest.spyOn(fs, 'linkSync').mockImplementation(() => {
      throw Object.assign(new Error('EPERM: operation not permitted, link'), {code: 'EPERM'});
    });
    const lock = RunLock.acquire(folder);
    expect(() => RunLock.acquire(folder)).toThrow(`but process ${process.pid} uses it`);
    link.mockRestore();
    expect(readdirSync(folder)).toEqual(['run.lock']);
    lock.release();
  });

  it('of another machine is not touched', () => {
    RunLock.acquire(folder);
    writeFileSync(lockFile, JSON.stringify({pid: 1, host: `not-${hostname()}`}));
    expect(() => RunLock.acquire(folder)).toThrow(`process 1 on not-${hostname()} uses it`);
  });

  it('says that the folder cannot be written', () => {
    writeFileSync(join(folder, '../..', 'runs'), 'a file where a folder should be');
    expect(() => RunLock.acquire(folder)).toThrow(
      new RegExp(`run: folder '.*' must be one that can be written, got (EEXIST|ENOTDIR)`),
    );
  });
});
