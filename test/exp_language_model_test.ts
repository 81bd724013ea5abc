import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {bundlePrograms} from './exp_programs';
import {signalAt} from './signal_at';

// The program as a user runs it, at sizes that take seconds.

const {command: commandOf} = bundlePrograms('language_model');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exp-'));
  mkdirSync(join(folder, 'text'));
  const tale = (i: number) => `The ${i}th whale swam by the ship, and the crew sang. `.repeat(20);
  for (let i = 0; i < 12; i++) {
    writeFileSync(join(folder, `text/${i}.txt`), tale(i));
  }
});
afterEach(() => rmSync(folder, {recursive: true}));

const TINY =
  '--data text --vocab 280 --layers 2 --hidden 8 --heads 2 --ffn 8 --sequence 8 --experts 2 ' +
  '--top-k 1 --lr 0.002 --steps 8 --batch 2 --eval-every 4 --eval-batches 1 --save-every 3 --load-every 2 ' +
  '--sample-tokens 2 --out run --backend wasm';

/** @param before Code that runs in the program first. */
function args(more: string, before = ''): string[] {
  return commandOf('language_model', `${TINY} ${more}`, before);
}

function start(more = '', before = '') {
  const {status, stdout, stderr} = spawnSync(process.execPath, args(more, before), {
    cwd: folder,
    encoding: 'utf8',
    timeout: 250_000,
  });
  return {status, stdout, stderr};
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** The losses of a model's steps, in order. */
function losses(run: string, kind: string): number[] {
  return read(`${run}/${kind}/metrics.jsonl`)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({loss}) => loss != null)
    .map(({loss}) => loss);
}

/** A run of the program that is under way. */
function spawnProgram(command: string) {
  const child = spawn(process.execPath, args(command), {cwd: folder});
  const closed = once(child, 'close');
  let stdout = '';
  const listeners = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    listeners.forEach((listener) => listener());
  });
  return {
    child,
    /** Resolves when it has printed something. */
    printed: (text: string) =>
      new Promise<void>((resolve, reject) => {
        listeners.add(() => stdout.includes(text) && resolve());
        void closed.then(() => reject(new Error(`'${text}' was not printed, but:\n${stdout}`)));
      }),
    /** Its exit code, and all that it has printed. */
    ended: async () => {
      const [code] = await closed;
      return {code, stdout};
    },
  };
}

describe('npm start', () => {
  it('trains all kinds of models and reports on them', () => {
    const {status, stdout, stderr} = start('--models dmoe,dense,moe');
    expect({status, stderr}).toEqual({status: 0, stderr: ''});
    expect(stdout).toContain('Computing on wasm.\n');
    expect(stdout).toContain('dMoE step 8: validation loss');
    expect(stdout).toMatch(/dense writes: The 2th whale swam by the/);
    expect(stdout).toMatch(/model +steps +parameters +active +FLOPs\/token +train loss +val loss/);
    expect(stdout).toContain('report.html');

    const {results, samples, machine, config} = JSON.parse(read('run/results.json'));
    expect(results.map(({name}: {name: string}) => name)).toEqual(['dMoE', 'dense', 'MoE']);
    const [dMoE, dense] = results;
    expect(dMoE.activeParameters).toBeLessThan(dMoE.parameters);
    expect(dense.flopsPerToken / dMoE.flopsPerToken).toBeGreaterThan(0.95);
    expect(dMoE.perplexity).toBeCloseTo(Math.exp(dMoE.validationLoss), 8);
    expect(samples.length).toBe(3);
    expect(machine.backend).toBe('wasm');
    expect(config).toMatchObject({layers: 2, seed: 0});

    const svg = read('run/report.svg');
    for (const text of [
      'dMoE, training',
      'dense, validation',
      'Loss over compute',
      'MoE, layer 2',
    ]) {
      expect(svg).toContain(text);
    }
    expect(read('run/report.html')).toContain(svg);
    expect(losses('run', 'moe').length).toBe(8);
  });

  it('has nothing to do a second time, until it is told to', () => {
    start('--models dmoe');
    const before = read('run/dmoe/metrics.jsonl');
    // What a program leaves that is killed while it writes.
    ['report.html', 'dmoe/result.json'].forEach((name) =>
      writeFileSync(join(folder, `run/${name}.123.tmp`), ''),
    );
    const again = start('--models dmoe');
    expect(again.status).toBe(0);
    const files = readdirSync(join(folder, 'run'), {recursive: true}).map(String);
    expect(files.filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(again.stdout).toContain('It is trained already, in run/dmoe; --fresh trains it anew.');
    expect(again.stdout).not.toContain('dMoE step');
    expect(read('run/dmoe/metrics.jsonl')).toBe(before);
    expect(start('--models dmoe --fresh').stdout).toContain('dMoE step 8/8');
  });

  it('saves at Ctrl-C, and the same command takes the steps that are left', async () => {
    const command = '--models dmoe --steps 4000 --save-every 1000';
    const {child, printed, ended} = spawnProgram(command);
    await printed('dMoE step 4: validation');
    child.kill('SIGINT');
    child.kill('SIGINT'); // As npm does, which passes on what the terminal has sent already.
    const {code, stdout} = await ended();
    expect(code).toBe(130);
    const said =
      /dMoE stopped at step (\d+) of 4000 \(SIGINT\) and is saved in run.dmoe\. The same command goes on from there\.\n$/;
    expect(stdout).toMatch(said);
    const stopped = Number(said.exec(stdout)![1]);
    expect(stopped).toBeGreaterThan(0);
    expect(stopped).toBeLessThan(4000);
    expect(readdirSync(join(folder, 'run/dmoe')).join()).toMatch(
      new RegExp(`checkpoint-0*${stopped}\\.`),
    );

    const next = start(`${command} --time-budget 0`);
    expect(next.status).toBe(0);
    expect(next.stdout).toMatch(
      /dMoE stopped at step \d+ of 4000 \(the time is up\) and is saved in run/,
    );
    const resumed = losses('run', 'dmoe');
    expect(resumed.length).toBe(stopped + 1);

    // A run that was not interrupted before.
    const whole = spawnProgram(`${command} --out whole`);
    await whole.printed('dMoE step 1/4000');
    while (read('whole/dmoe/metrics.jsonl').split('\n').length <= resumed.length) {
      await sleep(50);
    }
    whole.child.kill('SIGINT');
    await whole.ended();
    expect(losses('whole', 'dmoe').slice(0, resumed.length)).toEqual(resumed);
  });

  (process.platform === 'linux' ? it : it.skip)('goes on where it prints to a full disk', () => {
    const full = openSync('/dev/full', 'w');
    const {status} = spawnSync(process.execPath, args('--models dense'), {
      cwd: folder,
      stdio: ['ignore', full, full],
    });
    closeSync(full);
    expect(status).toBe(0);
    expect(losses('run', 'dense').length).toBe(8);
    expect(readdirSync(join(folder, 'run'))).toContain('report.html');
  });

  it('says how to go on also where Ctrl-C comes after the last step', () => {
    // The evaluation and the samples are still to come.
    const interrupt = signalAt('dMoE step 8: validation loss', 'SIGINT');
    const {status: code, stdout} = start('--models dmoe,dense', interrupt);
    expect(code).toBe(130);
    expect(stdout).toMatch(
      /dMoE stopped at step 8 of 8 \(SIGINT\) and is saved in run.dmoe\. The same command goes on from there\.\n$/,
    );
    const next = start('--models dmoe,dense');
    expect({status: next.status, stderr: next.stderr}).toEqual({status: 0, stderr: ''});
    expect(next.stdout).not.toContain('dMoE step');
    expect(next.stdout).toContain('report.html');
  });

  it('refuses a folder with a run of another configuration', () => {
    start('--models dense --time-budget 0');
    const {status, stderr} = start('--models dense --time-budget 0 --layers 1 --lr 0.5');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^error: .*checkpoint-\d+\.safetensors: must have the configuration of this run, got layers is 2 there, 1 here; lr is 0\.002 there, 0\.5 here/,
    );
  });

  it('refuses a folder that cannot be written, and one that another run uses', async () => {
    writeFileSync(join(folder, 'file'), 'a file where the folder should be');
    const refused = start('--models dense --out file');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^error: run: folder 'file' must be one that can be written/);

    const command = '--models dense --steps 4000';
    const {child, printed, ended} = spawnProgram(command);
    await printed('dense step 1/4000');
    const second = start(command);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(
      /^error: run: folder 'run' must be used by one run at a time, but process \d+ uses it/,
    );
    child.kill('SIGKILL');
    await ended();
    // What was killed keeps nobody out.
    expect(start('--models dense --steps 4000 --time-budget 0').status).toBe(0);
  });

  it.each(['', '--time-budget 30', '--time-budget 40000'])(
    'ends where the loss is no number %s',
    (more) => {
      const {status, stderr} = start(`--models dense --lr 1e30 --steps 20 ${more}`);
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /error: dense: the loss and the gradients must be finite, got 10 steps in/,
      );
    },
  );

  it('writes samples also where the first text that is held out has no words', () => {
    rmSync(join(folder, 'text'), {recursive: true});
    mkdirSync(join(folder, 'text'));
    // Cut into 20 parts, of which the tenth is held out.
    const sea = 'The ship and the sea. '.repeat(500);
    const blank = ' '.repeat(700);
    writeFileSync(join(folder, 'text/one.txt'), `${sea.slice(0, 4900)}${blank}${sea.slice(5600)}`);
    const {status, stdout, stderr} = start('--models dense');
    expect({status, stderr}).toEqual({status: 0, stderr: ''});
    expect(stdout).toMatch(/dense writes: (The|ship|and|the|sea\.) /);
  });

  it('refuses bad data', () => {
    writeFileSync(join(folder, 'text/image.png'), Buffer.from([137, 80, 78, 71, 0]));
    const {status, stderr} = start();
    expect(status).toBe(1);
    expect(stderr).toBe(
      "error: data: file 'text/image.png' (.png) must be UTF-8 text, got a NUL byte at offset 4\n",
    );
  });

  it.each([
    [
      '--layers 0',
      "option '--layers <n>' argument '0' is invalid. It must be an integer of at least 1.",
    ],
    ['--lr x', "option '--lr <x>' argument 'x' is invalid. It must be a number of at least 0."],
    [
      '--warmup 2',
      "option '--warmup <x>' argument '2' is invalid. It must be a number from 0 to 1.",
    ],
    ['--heads 3', '--heads must divide --hidden, 8, got 3'],
    ['--top-k 3', '--top-k must be at most --experts, 2, got 3'],
    ['--models dmoe,lstm', "option '--models <list>' argument 'dmoe,lstm' is invalid."],
    [
      '--backend abacus',
      "option '--backend <name>' argument 'abacus' is invalid. Allowed choices are",
    ],
    [
      '--precision float8',
      "option '--precision <name>' argument 'float8' is invalid. Allowed choices are float32, float16.",
    ],
    ['--depth 3', "unknown option '--depth'"],
    ['--prompt=', "option '--prompt <text>' argument '' is invalid. It must not be empty."],
  ])('refuses %s', (option, message) => {
    const {status, stdout, stderr} = start(option);
    expect({status, stdout}).toEqual({status: 1, stdout: ''});
    expect(stderr).toContain(`error: ${message}`);
    expect(stderr).toContain('--help lists all options');
  });

  it('lists every option', () => {
    const {status, stdout} = start('--help');
    expect(status).toBe(0);
    const names = stdout
      .match(/^ {2}(?:-h, )?--[a-z-]+/gm)!
      .map((line) => line.replace(/.*--/, ''));
    expect(names).toEqual(
      (
        'data tokenizer vocab preset models layers hidden heads init-std ffn sequence experts top-k ' +
        'capacity-factor normalize loss-weight steps batch lr warmup seed backend precision allow-software ' +
        'time-budget out fresh save-every eval-every eval-batches load-every prompt sample-tokens temperature help'
      ).split(' '),
    );
  });
});

const {MEGABLOCKS_WEBGPU = 'npm test finds its driver'} = process.env;
const hasWebGPU = MEGABLOCKS_WEBGPU === 'found';
const describeWithWebGPU = hasWebGPU ? describe : describe.skip;

describeWithWebGPU(`npm start on webgpu${hasWebGPU ? '' : ` (${MEGABLOCKS_WEBGPU})`}`, () => {
  const WEBGPU = '--models dmoe --layers 1 --backend auto --allow-software';

  it('stops at Ctrl-C, goes on, reports, and ends', () => {
    const interrupt = signalAt('dMoE step 1/20', 'SIGINT');
    const {status: code, stdout} = start(`${WEBGPU} --steps 20`, interrupt);
    expect(code).toBe(130);
    expect(stdout).toMatch(/^Computing on webgpu \(.+, products in float32\)\.$/m);
    expect(stdout).toMatch(/dMoE stopped at step \d+ of 20 \(SIGINT\) and is saved in run.dmoe/);

    const {status, stderr} = start(`${WEBGPU} --steps 20`);
    expect({status, stderr}).toEqual({status: 0, stderr: ''});
    const {machine, samples} = JSON.parse(read('run/results.json'));
    expect(machine).toMatchObject({backend: 'webgpu', precision: 'float32'});
    expect(machine.gpu).not.toBe('');
    expect(samples.length).toBe(1);
    expect(losses('run', 'dmoe').length).toBe(20);
  });

  it('takes wasm where the only GPU is software', () => {
    const {status, stdout, stderr} = start('--models dense --steps 2 --backend webgpu');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Computing on wasm; webgpu does not start: .*must be a GPU/m);
    expect(stderr).toMatch(/^backend: webgpu does not start: .*wasm takes its place/);
  });
});
