import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate, setTimeout as sleep} from 'node:timers/promises';
import {IndexedDataset} from '../training/data/indexed_dataset';
import {readDescription} from '../training/preprocess/preprocess';
import {bundlePrograms} from './exp_programs';

// The program as a user runs it.

const {bundles, build: rebuild, command} = bundlePrograms('preprocess');

/**
 * What node runs: the program, on a terminal where `isTTY` says so.
 *
 * @param before Code that runs in it first.
 */
function program(args: string, isTTY = false, before = ''): string[] {
  return command('preprocess', args, `process.stderr.isTTY = ${isTTY}; ${before}`);
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exp-preprocess-'));
});
afterEach(() => rmSync(folder, {recursive: true}));

it('the bundles are there while they are built anew', async () => {
  const stale = join(bundles, 'stale.cjs');
  writeFileSync(stale, '');
  const build = spawn(process.execPath, rebuild);
  const ended = once(build, 'exit');
  const bundle = join(bundles, 'preprocess_worker.cjs');
  const {length} = readFileSync(bundle);
  while (build.exitCode == null) {
    expect(readFileSync(bundle).length).toBe(length);
    await setImmediate();
  }
  expect(await ended).toEqual([0, null]);
  expect(existsSync(stale)).toBe(false);
});

describe('npm run preprocess', () => {
  it('learns a tokenizer and makes a data set', () => {
    writeFileSync(join(folder, 'in.txt'), 'The whale swam by the ship. '.repeat(20));
    const run = (vocab: string) => {
      const args = `--input in.txt --output-prefix out --learn-vocab ${vocab} --append-eod --workers 2`;
      const options = {cwd: folder, encoding: 'utf8'} as const;
      const {status, stdout, stderr} = spawnSync(process.execPath, program(args), options);
      expect({status, stderr}).toEqual({status: 0, stderr: ''});
      return stdout;
    };
    expect(run('270')).toContain('The tokenizer is written to out_tokenizer.json.\n1 documents,');
    const dataset = IndexedDataset.open(join(folder, 'out_text_document'));
    expect(dataset.numDocuments).toBe(1);
    dataset.close();

    const vocabSize = () => readDescription(join(folder, 'out_text_document'))!.vocabSize;
    const remove = () =>
      ['bin', 'idx'].forEach((name) => rmSync(join(folder, `out_text_document.${name}`)));
    remove();
    expect(run('265')).toContain(
      'The tokenizer is out_tokenizer.json, which was learned before; --fresh learns it anew.\n',
    );
    expect(vocabSize()).toBe(270);
    remove();
    run('265 --fresh');
    expect(vocabSize()).toBe(265);
  });

  it('says where the tokenizer cannot be written', () => {
    writeFileSync(join(folder, 'in.txt'), 'The whale swam by the ship.');
    const args = program('--input in.txt --output-prefix in.txt/out --learn-vocab 270');
    const {status, stderr} = spawnSync(process.execPath, args, {cwd: folder, encoding: 'utf8'});
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^error: preprocess: 'in\.txt.out_tokenizer\.json' cannot be written: (EEXIST|ENOTDIR)[^.]*'in\.txt'\n$/,
    );
  });

  it('ends where its threads cannot start, with a bar on a terminal too', () => {
    writeFileSync(join(folder, 'in.txt'), 'The whale.');
    const {status, stderr} = spawnSync(
      process.execPath,
      program(
        '--input in.txt --output-prefix out --tokenizer-type HuggingFaceTokenizer --tokenizer-model no.json',
        true,
      ),
      {cwd: folder, encoding: 'utf8', timeout: 60_000},
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: tokenizer: file 'no.json' cannot be read: ENOENT/);
  });

  it('leaves a terminal with its cursor where it exits at once, as at a second signal', () => {
    const lines = Array.from({length: 40_000}, (_, i) => `{"text": "the ${i}th whale"}\n`);
    writeFileSync(join(folder, 'in.jsonl'), lines.join(''));
    const exit = `
      const {write} = process.stderr;
      process.stderr.write = function (text, ...more) {
        setImmediate(() => process.exit(130));
        return write.call(this, text, ...more);
      };`;
    const args = program('--input in.jsonl --output-prefix out', true, exit);
    const {status, stderr} = spawnSync(process.execPath, args, {cwd: folder, encoding: 'utf8'});
    expect(status).toBe(130);
    expect(stderr).toContain('\x1b[?25l');
    expect(stderr.lastIndexOf('\x1b[?25h')).toBeGreaterThan(stderr.lastIndexOf('\x1b[?25l'));
  });

  it('stops at a signal while it waits for the standard input, and goes on', async () => {
    const args = program('--input - --output-prefix out --append-eod --workers 1');
    const child = spawn(process.execPath, args, {cwd: folder});
    const closed = once(child, 'close');
    let stdout = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    while (!existsSync(join(folder, 'out_text_document.bin.partial'))) {
      await sleep(20);
    }
    child.kill('SIGTERM');
    const [code] = await closed;
    expect(code).toBe(143);
    expect(stdout).toContain('Stopped (SIGTERM). The same command goes on from here.\n');

    const {status} = spawnSync(process.execPath, args, {cwd: folder, input: '{"text": "a"}\n'});
    expect(status).toBe(0);
    expect(existsSync(join(folder, 'out_text_document.idx'))).toBe(true);
  });
});
