import fs, {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {RunFolder} from '../training/run_folder';

let path: string;
let failures: string[];
let folder: RunFolder;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'run-'));
  failures = [];
  folder = new RunFolder(join(path, 'run'), (message) => failures.push(message));
});
afterEach(() => rmSync(path, {recursive: true}));

describe('the folder of a run', () => {
  it('is made when something is written to it', () => {
    expect(folder.list()).toEqual([]);
    expect(existsSync(folder.path)).toBe(false);
    expect(folder.read('a')).toBeUndefined();
    expect(folder.folder('deep').write('a', [Buffer.from('x'), Buffer.from('yz')])).toBe(true);
    expect(folder.folder('deep').read('a')!.toString()).toBe('xyz');
    expect(folder.list()).toEqual(['deep']);
  });

  it('replaces files whole and leaves nothing beside them', () => {
    folder.write('a', 'old');
    folder.write('a', 'new');
    folder.append('log', '1\n');
    folder.append('log', '2\n');
    expect(readFileSync(join(folder.path, 'a'), 'utf8')).toBe('new');
    expect(readFileSync(join(folder.path, 'log'), 'utf8')).toBe('1\n2\n');
    expect(readdirSync(folder.path)).toEqual(['a', 'log']);
    folder.remove('a');
    folder.remove('a');
    expect(folder.list()).toEqual(['log']);
    expect(failures).toEqual([]);
  });

  describe('on a disk that becomes full half-way', () => {
    const message = 'cannot be written: ENOSPC: no space left on device, write';

    beforeEach(() => {
      folder.write('a', 'old');
      const {writevSync} = fs;
      const write = jest.spyOn(fs, 'writevSync');
      write.mockImplementationOnce((file, [part]) =>
        writevSync(file, [(part as Uint8Array).subarray(0, 1)]),
      );
      write.mockImplementationOnce(() => {
        throw new Error('ENOSPC: no space left on device, write');
      });
    });
    afterEach(() => jest.restoreAllMocks());

    it('keeps the old file and cleans up', () => {
      expect(folder.write('a', 'new')).toBe(false);
      expect(folder.read('a')!.toString()).toBe('old');
      expect(folder.list()).toEqual(['a']);
      expect(failures).toEqual([`'${join(folder.path, 'a')}' ${message}`]);
    });

    it('adds nothing', () => {
      expect(folder.append('a', 'er')).toBe(false);
      expect(folder.append('a', 'est')).toBe(true);
      expect(folder.read('a')!.toString()).toBe('oldest');
      expect(failures).toEqual([`'${join(folder.path, 'a')}' ${message}`]);
    });
  });

  it('writes more than a system call takes', () => {
    const sizes: number[] = [];
    const write = jest.spyOn(fs, 'writevSync').mockImplementation((_, parts) => {
      sizes.push(parts.reduce((sum, {byteLength}) => sum + byteLength, 0));
      return sizes.at(-1)!;
    });
    // No byte of it is looked at, so that it takes no memory.
    const parts = [new Uint8Array(2 ** 31), new Uint8Array(5)];
    const written = folder.write('a', parts);
    write.mockRestore();
    expect({written, failures}).toEqual({written: true, failures: []});
    expect(sizes).toEqual([2 ** 30, 2 ** 30, 5]);
  });

  it('warns that the run goes on, where nothing else is asked for', () => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    writeFileSync(folder.path, 'a file where the folder should be');
    expect(new RunFolder(folder.path).write('a', 'x')).toBe(false);
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/cannot be written: .*\. The run goes on; what was saved before is/)],
    ]);
    warn.mockRestore();
  });

  it('says once that it cannot be written, and goes on', () => {
    writeFileSync(folder.path, 'a file where the folder should be');
    expect(folder.write('a', 'x')).toBe(false);
    expect(folder.append('log', 'x')).toBe(false);
    expect(folder.folder('deep').write('a', 'x')).toBe(false);
    expect(failures.length).toBe(1);
    expect(failures[0]).toMatch(/run\/a' cannot be written: (EEXIST|ENOTDIR)/);
  });
});
