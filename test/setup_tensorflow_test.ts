import {execFile, spawnSync} from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {promisify} from 'node:util';

// What sets up, builds and loads the TensorFlow ops, in a checkout of its own with a tfjs-node that is none:
// what is there is left alone, and what is missing is said. Nothing else is in the PATH.

const VERSION = '2.21.0';
const SCRIPTS = ['setup_tensorflow', 'build_native', 'native_util', 'install_if_needed'];

/** Reads an addon as JSON: what it would export. For `node --require`. */
const JSON_ADDONS = `require('node:module')._extensions['.node'] = (module, file) => {
  module.exports = JSON.parse(require('node:fs').readFileSync(file, 'utf8'));
};`;

let root: string;
const path = (...names: string[]) => join(root, ...names);

function write(name: string, text: string) {
  mkdirSync(dirname(path(name)), {recursive: true});
  writeFileSync(path(name), text);
}

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'megablocks-')));
  write('package.json', '{}');
  for (const name of [
    ...SCRIPTS.map((script) => `scripts/${script}.mjs`),
    'native/index.cjs',
    'native/node_util_polyfill.cjs',
  ]) {
    cpSync(join(dirname(__dirname), name), path(name));
  }
  write('json_addons.cjs', JSON_ADDONS);
});
afterEach(() => rmSync(root, {recursive: true, force: true}));

/** A package in the place of tfjs-node: its backend says its version, and whether it has a GPU. */
function installTfjsNode(name = '@tensorflow/tfjs-node', {usesGpu = false} = {}) {
  const backend = {binding: {TF_Version: VERSION}, isUsingGpuDevice: usesGpu};
  const folder = `node_modules/${name}`;
  write(`${folder}/package.json`, JSON.stringify({name, main: 'index.js'}));
  write(
    `${folder}/index.js`,
    `exports.backend = exports.findBackend = () => (${JSON.stringify(backend)});`,
  );
  write(`${folder}/deps/lib/libtensorflow.so`, 'the library');
  return folder;
}

const ADDON = 'native/build/megablocks.node';
const OPS = {instructions: 'avx2', threads: 2};

function installOps({name = ADDON, cuda}: {name?: string; cuda?: object} = {}) {
  write(name, JSON.stringify({...OPS, cuda}));
  // Newer than what it would be built of.
  const later = Date.now() / 1000 + 60;
  utimesSync(path(name), later, later);
}

function node(args: string[], env: NodeJS.ProcessEnv = {}) {
  const {stdout, stderr, status} = spawnSync(process.execPath, args, {
    ...{cwd: root, encoding: 'utf8', timeout: 60_000},
    env: {PATH: '', ...env},
  });
  return {stdout, stderr, status};
}

describe('npm run setup:tensorflow', () => {
  const setup = () =>
    node(['scripts/setup_tensorflow.mjs'], {NODE_OPTIONS: '--require ./json_addons.cjs'});

  test.each(['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'])(
    'leaves %s as it is where it works',
    (name) => {
      const folder = installTfjsNode(name);
      installOps();
      expect(setup()).toMatchObject({
        stderr: '',
        stdout: expect.stringContaining('tfjs-node works, with the ops of this library'),
      });
      expect(readFileSync(path(folder, 'deps/lib/libtensorflow.so'), 'utf8')).toBe('the library');
    },
  );

  test('says what is missing where tfjs-node does not load', () => {
    write(`${installTfjsNode()}/index.js`, 'throw new Error("no libtensorflow");');
    expect(setup()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^setup:tensorflow: (Python with pip must|libtensorflow for)/),
    });
    expect(existsSync(path('native/build'))).toBe(false);
  });
});

test('installing anew says that it removes tfjs-node', () => {
  const program = `import('./scripts/install_if_needed.mjs').then(({installIfNeeded}) => {
    installIfNeeded();
    installIfNeeded();
  });`;
  write('package-lock.json', '{}');
  // In the place of npm: what `npm ci` does.
  write(
    'npm.js',
    `const {mkdirSync, rmSync, writeFileSync} = require('node:fs');
    rmSync('node_modules', {recursive: true, force: true});
    mkdirSync('node_modules');
    writeFileSync('node_modules/.package-lock.json', '{}');`,
  );
  const install = () => node(['--eval', program], {npm_execpath: path('npm.js')});
  const installed = 'Installing the dependencies (npm ci) ...\n';
  expect(install()).toEqual({status: 0, stdout: installed, stderr: ''});
  rmSync(path('node_modules'), {recursive: true});
  installTfjsNode();
  expect(install()).toEqual({
    status: 0,
    stdout: installed,
    stderr: 'npm ci removed tfjs-node: npm run setup:tensorflow brings it back\n',
  });
});

describe('npm run build:native', () => {
  const build = () => node(['scripts/build_native.mjs']);

  test('says that tfjs-node is missing', () => {
    expect(build()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /^build:native: @tensorflow\/tfjs-node or .* must be installed/,
      ),
    });
  });

  test('says that libtensorflow is missing', () => {
    rmSync(path(installTfjsNode(), 'deps'), {recursive: true});
    expect(build()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^build:native: .* has no libtensorflow: npm run setup:tensor/),
    });
  });

  test('says that CMake is missing, or a compiler, and leaves the ops that are there', () => {
    installTfjsNode();
    installOps();
    const {status, stderr} = build();
    expect({status, stderr}).toEqual({
      status: 1,
      stderr: 'build:native: CMake must be installed, 3.18 or newer\n',
    });
    // A CMake that is none: a link to Node.js.
    mkdirSync(path('bin'));
    symlinkSync(process.execPath, path('bin/cmake'));
    expect(node(['scripts/build_native.mjs'], {PATH: path('bin')})).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^build:native: a C\+\+ compiler must be installed/),
    });
    expect(JSON.parse(readFileSync(path(ADDON), 'utf8'))).toEqual(OPS);
  });
});

/** In the place of CMake: what it configured must be there when two of it build. */
const CMAKE = `#!${process.execPath}
const {readdirSync, readFileSync, writeFileSync} = require('node:fs');
const builder = String(process.ppid);
const [command, ...options] = process.argv.slice(2);
if (command === '-S') {
  writeFileSync(options[2] + '/configured', builder);
  console.log('-- MegaBlocks: as configured');
} else if (command === '--build') {
  writeFileSync('building-' + builder, '');
  while (readdirSync('.').filter((name) => name.startsWith('building-')).length < 2);
  if (readFileSync(options[0] + '/configured', 'utf8') !== builder) {
    throw new Error('this is the build of another');
  }
  writeFileSync(options[0] + '/megablocks.node', '{}');
}`;

test('builds of the ops may run at once, and leave nothing but them', async () => {
  installTfjsNode();
  write('bin/cmake', CMAKE);
  chmodSync(path('bin/cmake'), 0o755);
  write('node_modules/node-api-headers/index.js', 'exports.include_dir = __dirname;');
  write('node_modules/node-api-headers/node_api.h', '');
  // What is left of a build that was killed.
  mkdirSync(path('native/build/cmake-old'), {recursive: true});
  utimesSync(path('native/build/cmake-old'), 0, 0);
  const build = () =>
    promisify(execFile)(process.execPath, ['scripts/build_native.mjs'], {
      ...{cwd: root, timeout: 60_000},
      env: {PATH: path('bin'), CXX: process.execPath},
    });
  const stdout = 'Building the TensorFlow ops ...\nas configured\n';
  expect(await Promise.all([build(), build()])).toEqual([
    {stdout, stderr: ''},
    {stdout, stderr: ''},
  ]);
  expect(readdirSync(path('native/build'))).toEqual(['megablocks.node']);
});

describe('loading the ops', () => {
  const LOAD = `try {
    console.log(JSON.stringify(require('./native/index.cjs').loadNative()));
  } catch ({message}) {
    console.log(message);
  }`;
  const load = (env?: NodeJS.ProcessEnv) =>
    node(['--require', './json_addons.cjs', '--eval', LOAD], env).stdout;
  const found = {package: '@tensorflow/tfjs-node', version: VERSION, devices: ['CPU'], ...OPS};

  test('describes what it found', () => {
    installTfjsNode();
    installOps();
    expect(JSON.parse(load())).toEqual(found);
  });

  test('takes those that check every access where that is asked for', () => {
    installTfjsNode();
    installOps({name: 'native/build/sanitized/megablocks.node'});
    expect(JSON.parse(load({MEGABLOCKS_SANITIZE: '1'}))).toEqual(found);
    expect(load()).toContain('the ops must be built');
  });

  test('says where tfjs-node is missing, or does not load', () => {
    expect(load()).toMatch(
      /^tfjs-megablocks\/tensorflow: @tensorflow\/tfjs-node-gpu or @tensorflow\/tfjs-node must be installed, got neither/,
    );
    write(`${installTfjsNode()}/index.js`, 'throw new Error("no libtensorflow");');
    expect(load()).toBe(
      'tfjs-megablocks/tensorflow: @tensorflow/tfjs-node must load, got: no libtensorflow\n',
    );
  });

  test('says where the ops are missing', () => {
    installTfjsNode();
    expect(load()).toBe(
      'tfjs-megablocks/tensorflow: the ops must be built, with a C++ compiler and CMake: ' +
        `npm run build:native in ${root}\n`,
    );
  });

  test('says where the ops do not load', () => {
    installTfjsNode();
    write(ADDON, 'no library');
    expect(node(['--eval', LOAD]).stdout).toMatch(
      /^tfjs-megablocks\/tensorflow: the ops must fit the installed libtensorflow; build them again \(npm run build:native in .*\), got: .*megablocks\.node/,
    );
  });

  test('says where another copy of this package has loaded its own', () => {
    installTfjsNode();
    installOps();
    cpSync(path('native'), path('copy'), {recursive: true});
    const loadBoth = `require('./copy/index.cjs').loadNative(); ${LOAD}`;
    expect(node(['--require', './json_addons.cjs', '--eval', loadBoth]).stdout).toBe(
      'tfjs-megablocks/tensorflow: a process must have one copy of the ops (npm ls tfjs-megablocks), ' +
        `got ${path('copy/build/megablocks.node')} and ${path(ADDON)}\n`,
    );
  });

  const cuda = {version: '13.0', stream: 'tensorflow', gpus: ['a GPU, compute capability 9.0']};

  test('says where they were built for the headers of another TensorFlow', () => {
    installTfjsNode();
    installOps({cuda: {...cuda, tensorflow: '0.0.0'}});
    expect(load()).toBe(
      `tfjs-megablocks/tensorflow: the ops must be built for TensorFlow ${VERSION}, got 0.0.0: ` +
        `npm run build:native in ${root}\n`,
    );
  });

  test.each([
    ['no problem', true, undefined, undefined],
    ['a GPU that is too old', true, 'compute capability 7.5', 'compute capability 7.5'],
    ['no driver', false, 'no CUDA-capable device', 'no CUDA-capable device'],
    [
      'a TensorFlow that uses no GPU',
      false,
      undefined,
      `TensorFlow ${VERSION} uses no GPU: its build is for the CPU, or a CUDA library is missing ` +
        '(its own log names it)',
    ],
  ])('describes the GPU: %s', (_, usesGpu, problem, expected) => {
    installTfjsNode('@tensorflow/tfjs-node-gpu', {usesGpu});
    installOps({cuda: {...cuda, tensorflow: VERSION, problem}});
    expect(JSON.parse(load())).toEqual({
      ...found,
      package: '@tensorflow/tfjs-node-gpu',
      devices: usesGpu ? ['CPU', 'GPU'] : ['CPU'],
      cuda: {...cuda, ...(expected != null && {problem: expected})},
    });
  });
});
