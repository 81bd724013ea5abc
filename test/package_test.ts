import {build} from 'esbuild';
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

// Uses the package as its users get it: built, packed, and installed into an empty project. The
// packages of TensorFlow.js there are links to the checkout's, so that nothing is downloaded.

const root = dirname(__dirname);
const TSC = join(root, 'node_modules/typescript/bin/tsc');
let folder: string;
let project: string;
let packedFiles: string[];

beforeAll(() => {
  run(root, process.execPath, 'scripts/build.mjs');
  folder = mkdtempSync(join(tmpdir(), 'tfjs-megablocks-'));
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [{filename, files}] = JSON.parse(run(root, 'npm', ...pack));
  packedFiles = files.map(({path}: {path: string}) => path);
  project = join(folder, 'project');
  mkdirSync(project);
  write('package.json', '{"private": true}');
  run(project, 'npm', 'install', '--offline', '--legacy-peer-deps', join(folder, filename));
  symlinkSync(join(root, 'node_modules/@tensorflow'), join(project, 'node_modules/@tensorflow'));
});

afterAll(() => rmSync(folder, {recursive: true, force: true}));

function run(cwd: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, {cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
}

function write(name: string, text: string) {
  writeFileSync(join(project, name), text);
}

/** Writes and runs a program of the project; a warning makes the test fail. */
function expectPrints(name: string, program: string, expected: string) {
  write(name, program);
  const {stdout, stderr} = spawnSync(process.execPath, [name], {cwd: project, encoding: 'utf8'});
  expect({stdout, stderr}).toEqual({stdout: `${expected}\n`, stderr: ''});
}

function typeCheck(names: string[], program: string, module: string, moduleResolution: string) {
  names.forEach((name) => write(name, program));
  const strict = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022'];
  const modules = ['--module', module, '--moduleResolution', moduleResolution];
  const {stdout} = spawnSync(process.execPath, [TSC, ...strict, ...modules, ...names], {
    cwd: project,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
}

// tfjs-core without the chained methods of the `@tensorflow/tfjs` union: the peers and no more.
const ESM_IMPORTS = `
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import {sequential} from '@tensorflow/tfjs-layers';
import {layers} from 'tfjs-megablocks';
`;
const COMMON_JS_IMPORTS = `
require('@tensorflow/tfjs-backend-wasm');
const tf = require('@tensorflow/tfjs-core');
const {sequential} = require('@tensorflow/tfjs-layers');
const {layers} = require('tfjs-megablocks');
`;
// Weights of one make every output the sum over F of the sum of a token: 4 * (1 + 2).
const PROGRAM = `
async function main() {
  await tf.setBackend('wasm');
  const dMoE = layers.dMoE({
    ffnHiddenSize: 4,
    moeNumExperts: 2,
    moeTopK: 2,
    activationFn: 'relu',
    initMethod: 'ones',
    inputShape: [2],
  });
  const model = sequential({layers: [dMoE]});
  model.compile({optimizer: tf.train.sgd(1e-3), loss: 'meanSquaredError'});
  const x = tf.tensor2d([[1, 2]]);
  console.log(model.predict(x).dataSync().join());
  const {history: {loss}} = await model.fit(x, tf.zerosLike(x), {epochs: 2, verbose: 0});
  console.log(loss[1] < loss[0]);
}
main();
`;
const PRINTED = '12,12\ntrue';

test('the tarball holds the builds and the documents, and nothing else', () => {
  expect(packedFiles.sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist/cjs/index.cjs',
    'dist/cjs/index.cjs.map',
    'dist/esm/index.js',
    'dist/esm/index.js.map',
    'dist/types/index.d.cts',
    'dist/types/index.d.ts',
    'package.json',
  ]);
});

test.each(['dist/esm/index.js', 'dist/cjs/index.cjs', 'dist/types/index.d.ts'])(
  '%s imports the peers and no more',
  (file) => {
    const text = readFileSync(join(project, 'node_modules/tfjs-megablocks', file), 'utf8');
    const imports = text.matchAll(/\b(?:from |require\(|import[ (])['"]([^'"\n]+)['"]/g);
    expect([...new Set([...imports].map(([, name]) => name))].sort()).toEqual([
      '@tensorflow/tfjs-core',
      '@tensorflow/tfjs-layers',
    ]);
  },
);

test('runs as ESM', () => {
  expectPrints('program.mjs', ESM_IMPORTS + PROGRAM, PRINTED);
});

test('runs as CommonJS', () => {
  expectPrints('program.cjs', COMMON_JS_IMPORTS + PROGRAM, PRINTED);
});

test('both builds in one process register their kernels once', () => {
  const program = `
    import 'tfjs-megablocks';
    import {createRequire} from 'node:module';
    import {getKernelsForBackend} from '@tensorflow/tfjs-core';
    const count = () => getKernelsForBackend('cpu').length;
    const before = count();
    createRequire(import.meta.url)('tfjs-megablocks');
    console.log(before > 0 && count() === before);`;
  expectPrints('both.mjs', program, 'true');
});

describe('types', () => {
  // That a wrong argument is an error shows that the declarations are found, and are not \`any\`.
  const program = `
    import {sequential} from '@tensorflow/tfjs-layers';
    import {layers, type layers as types} from 'tfjs-megablocks';
    const config: types.MoEArguments = {moeNumExperts: 8, moeTopK: 2};
    sequential({layers: [layers.dMoE(config)]});
    // @ts-expect-error: a number is a number
    layers.dMoE({moeNumExperts: '8'});`;

  test('under nodenext, in modules of either kind', () => {
    typeCheck(['program.mts', 'program.cts'], program, 'nodenext', 'nodenext');
  });

  test('under bundler', () => {
    typeCheck(['program.ts'], program, 'esnext', 'bundler');
  });
});

test('a bundler keeps the kernels, even when nothing else is used', async () => {
  write(
    'source.mjs',
    `import 'tfjs-megablocks';
     import {getGradient, getKernel} from '@tensorflow/tfjs-core';
     const kernels = ['cpu', 'wasm'].map((backend) => getKernel('MegaBlocksReplicate', backend));
     console.log([...kernels, getGradient('MegaBlocksReplicate')].every((found) => found != null));`,
  );
  const {outputFiles} = await build({
    entryPoints: [join(project, 'source.mjs')],
    bundle: true,
    platform: 'node',
    write: false,
  });
  expectPrints('bundle.cjs', outputFiles[0].text, 'true');
});

test("the README's example runs, and learns", () => {
  const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))!;
  const losses = run(project, process.execPath, '--input-type=module', '--eval', example)
    .trim()
    .split('\n')
    .map((line) => Number(/^epoch \d+: loss (.*)$/.exec(line)![1]));
  expect(losses.length).toBe(10);
  expect(losses.at(-1)).toBeLessThan(losses[0]);
});
