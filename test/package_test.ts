import {build} from 'esbuild';
import {execFileSync, spawnSync} from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {found, launchChromium} from './browser/launch';
import {collectErrors} from './browser/page_errors';
import {serveFolder} from './browser/serve_folder';

// Uses the package as its users get it: built, packed, and installed into an empty project. The
// packages of TensorFlow.js there are links to the checkout's, so that nothing is downloaded.

const root = dirname(__dirname);
const TSC = join(root, 'node_modules/typescript/bin/tsc');
/** For what a GPU in software compiles. */
const MINUTES = 600_000;

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
  ['@tensorflow', 'webgpu'].forEach(link);
});

afterAll(() => rmSync(folder, {recursive: true, force: true}));

function run(cwd: string, command: string, ...args: string[]): string {
  return execFileSync(command, args, {cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
}

function write(name: string, text: string) {
  writeFileSync(join(project, name), text);
}

/** Links a package of the checkout into the project. */
function link(name: string) {
  symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
}

/** Writes and runs a program of the project, which must end by itself. */
function runProgram(name: string, program: string, env: Record<string, string> = {}) {
  write(name, program);
  const options = {cwd: project, env: {...process.env, ...env}, timeout: 100_000};
  const {status, stdout, stderr} = spawnSync(process.execPath, [name], {
    ...options,
    encoding: 'utf8',
  });
  return {status, stdout, stderr};
}

/** Writes and runs a program of the project; a warning makes the test fail. */
function expectPrints(name: string, program: string, expected: string) {
  expect(runProgram(name, program)).toEqual({status: 0, stdout: `${expected}\n`, stderr: ''});
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

/** What the package has an entry for beside itself. */
const ENTRIES = ['core', 'cpu', 'data', 'tensorflow', 'training', 'wasm', 'webgl', 'webgpu'];

test('the tarball holds the builds and the documents, and nothing else', () => {
  const sources =
    /^(dist\/(esm|cjs|types)|native|native\/(cuda|kernels|kernels\/cuda|ops|simd))\/[^/]+$/;
  const others = packedFiles.filter(
    (file) => !/^dist\/(esm|cjs)\//.test(file) && !sources.test(file),
  );
  expect(others.sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist/megablocks.min.js',
    'dist/megablocks.min.js.map',
    'package.json',
    'scripts/build_native.mjs',
    'scripts/native_util.mjs',
  ]);
  const folders = packedFiles.map((file) => /^dist\/(?:esm|cjs)\/(\w+)/.exec(file)?.[1]);
  const rooms = ['layers', 'models', 'ops', 'src', 'training'];
  expect([...new Set(folders)].filter(Boolean).sort()).toEqual(rooms);
});

test('every entry has its files', () => {
  const {exports} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(Object.keys(exports)).toEqual([
    ...['.', ...ENTRIES.map((name) => `./${name}`)],
    ...['./native', './megablocks.min.js', './package.json'],
  ]);
  const files = (entry: string | object): string[] =>
    typeof entry === 'string' ? [entry.slice(2)] : Object.values(entry).flatMap(files);
  expect(files(exports).filter((file) => !packedFiles.includes(file))).toEqual([]);
});

const PEERS = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-data', '@tensorflow/tfjs-layers'];
/** The loader of the TensorFlow ops, a file of the package. */
const NATIVE = 'tfjs-megablocks/native';

test.each([
  ['esm', /^dist\/esm\/.*\.js$/, ['@tensorflow/tfjs-backend-webgpu', ...PEERS, NATIVE]],
  ['cjs', /^dist\/cjs\/.*\.cjs$/, ['@tensorflow/tfjs-backend-webgpu', ...PEERS, NATIVE]],
  ['types', /^dist\/types\/.*ts$/, PEERS],
])('%s imports the peers and no more', (_, pattern, peers) => {
  const packages = packedFiles
    .filter((file) => pattern.test(file))
    .flatMap((file) => {
      const text = readFileSync(join(project, 'node_modules/tfjs-megablocks', file), 'utf8');
      // Without the comments of the declarations, which show how to import.
      const code = text.replace(/^ *\*.*$/gm, '');
      const imports = code.matchAll(/\b(?:from |require\(|import[ (])['"]([^'"\n]+)['"]/g);
      // Training writes files; nothing else may need Node.js.
      const isOwn = (name: string) =>
        name.startsWith('.') || (name.startsWith('node:') && file.includes('/training/'));
      return Array.from(imports, ([, name]) => name).filter((name) => !isOwn(name));
    });
  expect([...new Set(packages)].sort()).toEqual(peers);
});

test('runs as ESM', () => {
  expectPrints('program.mjs', ESM_IMPORTS + PROGRAM, PRINTED);
});

test('runs as CommonJS', () => {
  expectPrints('program.cjs', COMMON_JS_IMPORTS + PROGRAM, PRINTED);
});

const TRAINS_AND_SAVES = `
async function trainAndSave() {
  await tf.setBackend('wasm');
  const storage = new RunFolder('run');
  const compiled = () => {
    const model = sequential({layers: [layers.dMoE({name: 'moe', ffnHiddenSize: 4, moeNumExperts: 2, inputShape: [2]})]});
    model.compile({optimizer: new AdamWOptimizer({learningRate: 0.1}), loss: 'meanSquaredError'});
    return model;
  };
  const model = compiled();
  const x = tf.tensor2d([[1, 2]]);
  const callbacks = [
    new MetricsCallback({sinks: [MetricsLog.open(storage), new TensorBoardLog(storage)]}),
    new CheckpointCallback({checkpoints: new Checkpoints({storage, config: {}}), every: 2}),
  ];
  await model.fit(x, tf.zerosLike(x), {epochs: 3, verbose: 0, callbacks});
  const other = compiled();
  const {step} = await new Checkpoints({storage, config: {}}).restore(other);
  const same = tf.equal(other.predict(x), model.predict(x)).dataSync().every(Boolean);
  console.log(step, same, MetricsLog.read(storage).length);
}
trainAndSave();
`;
const TRAINING_NAMES =
  'CheckpointCallback, Checkpoints, MetricsCallback, MetricsLog, RunFolder, TensorBoardLog';

test.each([
  [
    'training.mjs',
    `${ESM_IMPORTS}import {AdamWOptimizer} from 'tfjs-megablocks';
    import {${TRAINING_NAMES}} from 'tfjs-megablocks/training';`,
  ],
  [
    'training.cjs',
    `${COMMON_JS_IMPORTS}const {AdamWOptimizer} = require('tfjs-megablocks');
    const {${TRAINING_NAMES}} = require('tfjs-megablocks/training');`,
  ],
])('logs, saves and goes on: %s', (name, imports) => {
  rmSync(join(project, 'run'), {recursive: true, force: true});
  expectPrints(name, imports + TRAINS_AND_SAVES, '3 true 3');
});

const READS_DATA = `
async function readData() {
  const writer = IndexedDatasetWriter.create('tokens', 'uint16');
  for (let i = 0; i < 8; i++) writer.add([[i, i, i]]);
  writer.finish();
  const dataset = IndexedDataset.open('tokens');
  const samples = new GptDataset(dataset, {sequenceLength: 4, seed: 1});
  const batches = new SampleBatches({source: batchesOf(samples, 2)});
  let shapes = '';
  await batches.first().forEachAsync(({xs, ys}) => (shapes += xs.shape + ' ' + ys.shape + ';'));
  console.log(dataset.numTokens, samples.length, shapes);
}
tf.setBackend('wasm').then(readData);
`;
const DATA_NAMES = 'batchesOf, GptDataset, IndexedDataset, IndexedDatasetWriter, SampleBatches';

test.each([
  ['data.mjs', `${ESM_IMPORTS}import {${DATA_NAMES}} from 'tfjs-megablocks/data';`],
  ['data.cjs', `${COMMON_JS_IMPORTS}const {${DATA_NAMES}} = require('tfjs-megablocks/data');`],
])('reads data sets: %s', (name, imports) => {
  ['bin', 'idx'].forEach((file) => rmSync(join(project, `tokens.${file}`), {force: true}));
  expectPrints(name, imports + READS_DATA, '24 5 2,4 2,4,1;2,4 2,4,1;');
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
    import {ones, type Tensor1D, type Tensor2D, type Tensor3D} from '@tensorflow/tfjs-core';
    import {groupedMatMul, histogram, inclusiveCumsum, replicate} from 'tfjs-megablocks';
    import {SparseMatrix} from 'tfjs-megablocks/core';
    import type {SparseMatrix as SameMatrix} from 'tfjs-megablocks';
    import 'tfjs-megablocks/cpu';
    import 'tfjs-megablocks/wasm';
    import {setupWebGPU, type WebGPUSetup} from 'tfjs-megablocks/webgpu';
    export const same = (x: SparseMatrix): SameMatrix => x;
    export const setup: Promise<WebGPUSetup> = setupWebGPU({precision: 'float16'});
    // @ts-expect-error: no such precision
    void setupWebGPU({precision: 'float8'});
    const config: types.MoEArguments = {moeNumExperts: 8, moeTopK: 2};
    sequential({layers: [layers.dMoE(config)]});
    // @ts-expect-error: a number is a number
    layers.dMoE({moeNumExperts: '8'});
    // Of tensors whose rank the call decides, and of those that have one.
    export const ends: Tensor1D = inclusiveCumsum(histogram(ones([3], 'int32'), 4));
    export const copies: Tensor1D = replicate(ones([3]), ends, 5);
    groupedMatMul(ones([2, 3]), ones([1, 4, 3]), ends, {transposeB: true});
    export const batched = (x: Tensor2D): Tensor2D => inclusiveCumsum(histogram(x, 4));
    export const either = (x: Tensor1D | Tensor2D) => replicate(x, ends, 5);
    export const products = (a: Tensor2D, b: Tensor2D): Tensor3D =>
      groupedMatMul(a, b, ends, {transposeA: true});`;

  test('under nodenext, in modules of either kind', () => {
    typeCheck(['program.mts', 'program.cts'], program, 'nodenext', 'nodenext');
  });

  test('under bundler', () => {
    typeCheck(['program.ts'], program, 'esnext', 'bundler');
  });
});

const {MEGABLOCKS_WEBGPU = 'npm test finds its driver'} = process.env;
const hasWebGPU = MEGABLOCKS_WEBGPU === 'found';
const describeWithWebGPU = hasWebGPU ? describe : describe.skip;

describeWithWebGPU(`webgpu${hasWebGPU ? '' : ` (${MEGABLOCKS_WEBGPU})`}`, () => {
  const esmImports = `
    import * as tf from '@tensorflow/tfjs-core';
    import {sequential} from '@tensorflow/tfjs-layers';
    import {layers, topK} from 'tfjs-megablocks';
    import {setupWebGPU} from 'tfjs-megablocks/webgpu';`;
  const commonJsImports = `
    const tf = require('@tensorflow/tfjs-core');
    const {sequential} = require('@tensorflow/tfjs-layers');
    const {layers} = require('tfjs-megablocks');
    const {setupWebGPU} = require('tfjs-megablocks/webgpu');`;
  // As above; and both experts are one, so that the gradient is that of 2 sums over F.
  const trains = `
    async function main() {
      const {software, precision, dispose} = await setupWebGPU({allowSoftware: true});
      console.log(tf.getBackend(), typeof software, precision);
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
      console.log((await model.predict(x).data()).join());
      console.log((await tf.grad((x) => tf.sum(dMoE.apply(x)))(x).data()).join());
      const {history: {loss}} = await model.fit(x, tf.zerosLike(x), {epochs: 2, verbose: 0});
      console.log(loss[1] < loss[0]);
      dispose();
    }
    main();`;
  const printed = 'webgpu boolean float32\n12,12\n8,8\ntrue';
  /** Gives what an error says. */
  const says = `
    const says = async (compute) => {
      try {
        await compute();
        return 'no error';
      } catch ({message}) {
        return message;
      }
    };
    const setupSays = (options) => says(() => setupWebGPU(options));`;

  test('trains as ESM, and the process ends', () => {
    expectPrints('webgpu.mjs', esmImports + trains, printed);
  });

  test('trains as CommonJS, and the process ends', () => {
    expectPrints('webgpu.cjs', commonJsImports + trains, printed);
  });

  test('refuses what it cannot set up, and sets up after that', () => {
    const program = `
      ${esmImports}${says}
      console.log(await setupSays({precision: 'float8'}));
      console.log(await setupSays({boundsChecks: 1}));
      console.log(await setupSays({powerPreference: 'high'}));
      console.log(await setupSays());
      console.log(await setupSays({allowSoftware: true, requiredFeatures: ['warp-drive']}));
      globalThis.gc();
      const {dispose} = await setupWebGPU({allowSoftware: true});
      console.log(tf.getBackend());
      dispose();`;
    write('refused.mjs', program);
    const lines = run(project, process.execPath, '--expose-gc', 'refused.mjs').trim().split('\n');
    expect(lines).toEqual([
      "setupWebGPU: precision must be one of 'float32', 'float16', got 'float8'",
      'setupWebGPU: boundsChecks must be true or false, got 1',
      "setupWebGPU: powerPreference must be one of 'high-performance', 'low-power', got 'high'",
      expect.stringMatching(
        /^setupWebGPU: the adapter must be a GPU, got software, .*SwiftShader.*; allowSoftware accepts it$/,
      ),
      expect.stringMatching(
        /^setupWebGPU: requiredFeatures must be ones of the adapter .*, which lacks warp-drive; it has .*/,
      ),
      'webgpu',
    ]);
  });

  test('says so where there is no adapter', () => {
    const program = `${esmImports}${says} console.log(await setupSays());`;
    const none = {VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json'};
    const {status, stdout} = runProgram('no_adapter.mjs', program, none);
    expect({status, stdout}).toEqual({
      status: 0,
      stdout:
        'setupWebGPU: there must be a WebGPU adapter, got none; is there a GPU with its driver?\n',
    });
  });

  test.each(['mjs', 'cjs'])('names the package that is missing (%s)', (kind) => {
    unlinkSync(join(project, 'node_modules/webgpu'));
    const imports = kind === 'mjs' ? esmImports : commonJsImports;
    const program = `${imports}${says} setupSays().then(console.log);`;
    const {status, stdout} = runProgram(`no_package.${kind}`, program);
    link('webgpu');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^setupWebGPU: the package webgpu must be installed and load, got: Cannot find package 'webgpu'/,
    );
  });

  test('a lost device is an error, and another can be set up', () => {
    const program = `
      ${esmImports}${says}
      const first = await setupWebGPU({allowSoftware: true});
      const {device} = tf.backend();
      const x = tf.tensor2d([[1, 2]]);
      device.destroy();
      console.log(await says(() => tf.add(x, 1).data()));
      await device.lost;
      console.log(await says(() => tf.add(x, 1)));
      console.log(await says(() => topK(x, 1)));
      first.dispose();
      const second = await setupWebGPU({allowSoftware: true});
      console.log((await tf.add([1, 2], 1).data()).join());
      second.dispose();`;
    const lost = expect.stringMatching(
      /^\w+: the WebGPU device is lost \(.+\); set the backend up again and go on from the last checkpoint$/,
    );
    const {status, stdout} = runProgram('lost.mjs', program);
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toEqual([lost, lost, lost, '2,3']);
  });

  test('what was set up before can be disposed of, at any time and again', () => {
    const program = `
      ${esmImports}
      const sum = async () => console.log(tf.getBackend(), (await tf.add([1, 2], 1).data()).join());
      const first = await setupWebGPU({allowSoftware: true});
      await sum();
      const second = await setupWebGPU({allowSoftware: true});
      first.dispose();
      await sum();
      second.dispose();
      first.dispose();
      second.dispose();`;
    expectPrints('disposed.mjs', program, 'webgpu 2,3\nwebgpu 2,3');
  });

  test('a tensor that no buffer holds is refused', () => {
    // Both builds find the limits in one place, on the device.
    const program = `
      ${esmImports}${says}
      const {dispose} = await setupWebGPU({allowSoftware: true});
      const {device} = tf.backend();
      const x = tf.tensor2d([[1, 2], [3, 4]]);
      device[Symbol.for('tfjs-megablocks.webgpu')].limits = {
        maxBufferSize: 12,
        maxStorageBufferBindingSize: 100,
      };
      console.log(await says(() => tf.add(x, 1)));
      console.log(await says(() => topK(x, 1)));
      dispose();`;
    expectPrints(
      'large.mjs',
      program,
      ['webgpu', 'MegaBlocksTopKIndices']
        .map(
          (kernel) =>
            `${kernel}: a tensor of shape [2,2] takes 16 bytes, and a buffer of this WebGPU device ` +
            'holds at most 12; use a smaller batch or model',
        )
        .join('\n'),
    );
  });
});

// The kernels of tensorflow are in an addon, which no bundler takes; training has those of all.
test.each(ENTRIES.filter((name) => !['core', 'data', 'tensorflow', 'training'].includes(name)))(
  "a bundler keeps %s's kernels and no others, even when nothing else is used",
  async (backend) => {
    write(
      'source.mjs',
      `import 'tfjs-megablocks/core';
       import 'tfjs-megablocks/${backend}';
       import {getGradient, getKernel} from '@tensorflow/tfjs-core';
       const name = 'MegaBlocksReplicate';
       const found = ${JSON.stringify(ENTRIES)}.filter((backend) => getKernel(name, backend) != null);
       console.log(found.join(), getGradient(name) != null);`,
    );
    const {outputFiles, metafile} = await build({
      entryPoints: [join(project, 'source.mjs')],
      bundle: true,
      platform: 'node',
      external: ['@tensorflow/tfjs-backend-webgpu'],
      write: false,
      metafile: true,
    });
    expectPrints('bundle.cjs', outputFiles[0].text, `${backend} true`);
    const kernels = Object.keys(metafile.inputs).map(
      (file) => /\/kernels\/(\w+)\//.exec(file)?.[1],
    );
    const backends = new Set(kernels.filter((name) => name != null && name !== 'shared'));
    expect([...backends]).toEqual([backend]);
  },
);

test.each(['import', 'require'])('tensorflow says what is missing (%s)', (how) => {
  const program = `
    import {createRequire} from 'node:module';
    const require = createRequire(import.meta.url);
    try {
      await (${how}('tfjs-megablocks/tensorflow'));
    } catch ({message}) {
      console.log(message);
    }`;
  const {status, stdout} = runProgram(`tensorflow_${how}.mjs`, program);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    process.env.MEGABLOCKS_TENSORFLOW === 'found'
      ? /^tfjs-megablocks\/tensorflow: the ops must be built, .*: npm run build:native in /
      : /^tfjs-megablocks\/tensorflow: .*tfjs-node.* must be installed, got neither/,
  );
});

test('a bundler leaves out the ops that are not used', async () => {
  write('source.mjs', "import {sort} from 'tfjs-megablocks/core'; console.log(sort.name);");
  const {metafile} = await build({
    entryPoints: [join(project, 'source.mjs')],
    bundle: true,
    platform: 'node',
    external: ['@tensorflow/*'],
    write: false,
    metafile: true,
  });
  const [{inputs}] = Object.values(metafile.outputs);
  const used = Object.entries(inputs).filter(([, {bytesInOutput}]) => bytesInOutput > 0);
  const ops = used.map(([file]) => /\/ops\/(\w+)/.exec(file)?.[1]);
  expect(ops).toContain('sort');
  expect(ops).not.toContain('random_sparse');
});

const describeInChromium = found.missing == null ? describe : describe.skip;

describeInChromium(`in a page${found.missing == null ? '' : ` (${found.missing})`}`, () => {
  /** A block of the README's section on browsers. */
  const example = (language: string) => {
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    const section = text.slice(text.indexOf('## In a browser'));
    return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(section)![1];
  };

  /** Opens a folder of the project as a site, and expects what its page writes of a training. */
  async function expectTrains(folder: string, pattern: RegExp) {
    const server = await serveFolder(join(project, folder));
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const errors = collectErrors(page);
      await page.goto(server.url);
      const written = page.locator('body').filter({hasText: 'loss'});
      await Promise.race([
        written.waitFor({timeout: MINUTES}),
        page.waitForEvent('pageerror', {timeout: MINUTES}).then((error) => Promise.reject(error)),
      ]);
      const text = await written.innerText();
      expect(text).toMatch(pattern);
      const losses = text.split('loss ')[1].split(', ').map(Number);
      expect(losses.length).toBe(3);
      expect(losses[2]).toBeLessThan(losses[0]);
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
      server.close();
    }
  }

  test(
    "the README's page of script tags trains",
    async () => {
      write('index.html', example('html'));
      await expectTrains('.', /^webgl: loss /);
    },
    MINUTES,
  );

  test(
    "the README's page trains as Vite builds it, without other backends' kernels",
    async () => {
      const script = '<script type="module" src="main.js"></script>';
      write('index.html', `<!doctype html><title>Vite</title><body></body>${script}`);
      // The GPU of the tests is software.
      const program = example('js').replace('setupWebGPU()', 'setupWebGPU({allowSoftware: true})');
      write('main.js', program);
      const vite = join(root, 'node_modules/vite/bin/vite.js');
      run(project, process.execPath, vite, 'build', '--target', 'es2022', '--logLevel', 'error');
      const assets = join(project, 'dist/assets');
      const code = readdirSync(assets).map((name) => readFileSync(join(assets, name), 'utf8'));
      // What only WebGL's and wasm's kernels have in them.
      for (const sign of ['#version 300 es', 'AGFzbQ']) {
        expect(readFileSync(join(root, 'dist/megablocks.min.js'), 'utf8')).toContain(sign);
        expect(code.filter((text) => text.includes(sign))).toEqual([]);
      }
      await expectTrains('dist', /: loss /);
    },
    MINUTES,
  );
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
