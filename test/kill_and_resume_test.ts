import {build} from 'esbuild';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout} from 'node:timers/promises';
import {randomNumbers} from '../src/random';

// A run that is killed at random moments and resumed leaves what one that was not leaves, to the bit.
// More kills than CI has time for: MEGABLOCKS_KILLS=100 npm test -- test/kill_and_resume_test.ts

const KILLS = Number(process.env.MEGABLOCKS_KILLS ?? 3);
const root = join(__dirname, '..');
/** In the project, from where it finds the packages. */
const outdir = join(root, `dist/test_kill_${process.pid}`);
let folder: string;

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'kill-'))));
afterEach(() => rmSync(folder, {recursive: true}));

beforeAll(async () => {
  await build({
    entryPoints: [join(__dirname, 'kill_and_resume/training.ts')],
    outfile: join(outdir, 'training.cjs'),
    ...{
      bundle: true,
      platform: 'node',
      packages: 'external',
      target: 'node20',
      logLevel: 'warning',
    },
    ignoreAnnotations: true, // Else it drops the backend.
  });
});
afterAll(() => rmSync(outdir, {recursive: true, force: true}));

/** Trains in a folder, is killed so many milliseconds after it was ready, and tells how it ended. */
async function train(name: string, options: readonly string[], killAfter?: number) {
  const args = [join(outdir, 'training.cjs'), join(folder, name), ...options];
  const child = spawn(process.execPath, args, {stdio: ['ignore', 'pipe', 'inherit']});
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  const begin = performance.now();
  if (killAfter != null) {
    await Promise.race([setTimeout(killAfter), closed]);
    child.kill('SIGKILL');
  }
  const [code, signal] = await closed;
  return {code, signal, milliseconds: performance.now() - begin};
}

/** What a run has logged, but for times and for memory, which depend on the process. */
function metrics(name: string): object[] {
  return readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => ({...JSON.parse(line), seconds: 0, memoryBytes: 0}));
}

function checkpoints(name: string): [string, string][] {
  const path = join(folder, name);
  return (existsSync(path) ? readdirSync(path) : [])
    .filter((file) => file.startsWith('checkpoint'))
    .map((file) => [file, readFileSync(join(folder, name, file)).toString('base64')]);
}

test.each([
  ['files', []],
  ['shards', ['40000']],
])(
  `a run that is killed ${KILLS} times leaves the same metrics and checkpoints, as %s`,
  async (_, options) => {
    const whole = await train('whole', options);
    expect(whole).toMatchObject({code: 0});
    const random = randomNumbers(Date.now());
    const moments: number[] = [];
    let kills = 0;
    let resumed = 0;
    // A run that has begun anew each time proves nothing.
    for (let run = 0; kills < KILLS || resumed === 0; run++) {
      // Each run of several kills begins anew once it has come to its end.
      const milliseconds = random() * 0.7 * whole.milliseconds;
      moments.push(Math.round(milliseconds));
      const {code, signal} = await train('killed', options, milliseconds);
      if (signal === 'SIGKILL') {
        kills++;
        resumed += Number(checkpoints('killed').length > 0);
        continue;
      }
      expect({run, code}).toEqual({run, code: 0});
      expectSame(moments);
      rmSync(join(folder, 'killed'), {recursive: true});
    }
    expect(await train('killed', options)).toMatchObject({code: 0});
    expectSame(moments);
  },
  60_000 + 10_000 * KILLS,
);

function expectSame(moments: number[]) {
  // Where they differ, the moments of the kills tell how to see it again.
  expect({moments, metrics: metrics('killed')}).toEqual({moments, metrics: metrics('whole')});
  const [killed, whole] = ['killed', 'whole'].map(checkpoints);
  expect(killed.map(([name]) => name)).toEqual(whole.map(([name]) => name));
  expect(killed.every(([, bytes], i) => bytes === whole[i][1])).toBe(true);
  expect(readdirSync(join(folder, 'killed')).filter((name) => /tmp|lock/.test(name))).toEqual([]);
}
