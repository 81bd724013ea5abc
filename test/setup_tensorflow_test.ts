import {spawnSync} from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

// What sets up, builds and loads the TensorFlow ops, in a checkout of its own with a tfjs-node that is none:
// what is there is left alone, and what is missing is said. Nothing else is in the PATH.

const VERSION = '2.21.0';
const SCRIPTS = ['setup_tensorflow', 'build_native', 'native_util'];

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

/** A package in the place of tfjs-node, whose backend says its version. */
function installTfjsNode(name = '@tensorflow/tfjs-node') {
  const backend = {binding: {TF_Version: VERSION}};
  const folder = `node_modules/${name}`;
  write(`${folder}/package.json`, JSON.stringify({name, main: 'index.js'}));
  write(
    `${folder}/index.js`,
    `exports.backend = exports.findBackend = () => (${JSON.stringify(backend)});`,
  );
  write(`${folder}/deps/lib/libtensorflow.so`, 'the library');
  return folder;
}

function installOps() {
  write('native/build/megablocks.node', JSON.stringify({instructions: 'avx2', threads: 2}));
  // Newer than what it would be built of.
  const later = Date.now() / 1000 + 60;
  utimesSync(path('native/build/megablocks.node'), later, later);
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
