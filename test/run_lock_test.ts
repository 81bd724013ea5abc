import {spawnSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
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
