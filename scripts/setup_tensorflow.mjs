// `npm run setup:tensorflow`: makes @tensorflow/tfjs-node work in this checkout, also where its own
// download of libtensorflow fails, and builds this library's ops for it. A tfjs-node that works already is
// left as it is. Else libtensorflow comes from the Python package tensorflow-cpu (pip must be there), and
// tfjs-node's addon is compiled for it.
import {spawnSync} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {buildNative} from './build_native.mjs';
import {compiler, nodeIncludeDir, run, tfjsNode, whyNoOps, whyNoTfjsNode} from './native_util.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const TFJS_NODE = '@tensorflow/tfjs-node@4.22.0';
const TENSORFLOW = '2.21.0';
/** Its headers and libraries, kept apart from node_modules, which npm empties. */
const LIBTENSORFLOW = join(root, `native/deps/libtensorflow-${TENSORFLOW}`);

/** The Node-API version that tfjs-node's addon goes by. */
const NAPI_VERSION = 8;

/**
 * Makes tfjs-node and the ops work.
 *
 * @throws If something is missing; the message says what.
 */
export function setupTensorFlow() {
  if (tfjsNode(root) == null) {
    console.log(`Installing ${TFJS_NODE} ...`);
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress'];
    run('npm', ['install', ...flags, TFJS_NODE], root);
  }
  if (whyNoTfjsNode(root) != null) {
    provideLibtensorflow();
    compileBinding(tfjsNode(root));
    const problem = whyNoTfjsNode(root);
    if (problem != null) {
      throw new Error(`tfjs-node does not load: ${problem}`);
    }
  }
  buildNative();
}

/** Takes libtensorflow and its headers out of the Python package. */
function provideLibtensorflow() {
  if (existsSync(LIBTENSORFLOW)) {
    return;
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `libtensorflow for ${process.platform} ${process.arch} must come with tfjs-node's own installation: ` +
        'npm rebuild @tensorflow/tfjs-node',
    );
  }
  console.log(`Downloading tensorflow-cpu ${TENSORFLOW} ...`);
  const deps = dirname(LIBTENSORFLOW);
  mkdirSync(deps, {recursive: true});
  const folder = mkdtempSync(join(deps, 'download-'));
  try {
    const python = ['python3', 'python'].find(
      (name) => spawnSync(name, ['--version']).status === 0,
    );
    if (python == null) {
      throw new Error(
        'Python with pip must be installed: libtensorflow comes from a Python package',
      );
    }
    const wheel = ['--platform', 'manylinux_2_27_x86_64', '--python-version', '3.11', '--no-deps'];
    const quiet = ['--disable-pip-version-check', '--quiet', '--only-binary', ':all:'];
    const download = [...wheel, ...quiet, '--dest', folder, `tensorflow-cpu==${TENSORFLOW}`];
    run(python, ['-m', 'pip', 'download', ...download], root);
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.whl'));
    run(python, ['-c', UNPACK, join(folder, file), folder], root);
    const library = join(folder, 'tensorflow');
    renameSync(library, LIBTENSORFLOW);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}

/** What of the package is needed, in Python: both libraries, and the headers of the C API. */
const UNPACK = `
import sys, zipfile
wheel, folder = sys.argv[1:]
with zipfile.ZipFile(wheel) as package:
    for name in package.namelist():
        if name.startswith(('tensorflow/libtensorflow_', 'tensorflow/include/tensorflow/c/',
                            'tensorflow/include/tensorflow/core/platform/ctstring',
                            'tensorflow/include/xla/tsl/c/', 'tensorflow/include/tsl/platform/ctstring')):
            package.extract(name, folder)
`;

/** Compiles tfjs-node's addon where tfjs-node looks for it. */
function compileBinding(folder) {
  console.log("Compiling tfjs-node's addon ...");
  const lib = join(folder, 'deps/lib');
  rmSync(join(folder, 'deps'), {recursive: true, force: true});
  mkdirSync(lib, {recursive: true});
  symlinkSync(join(LIBTENSORFLOW, 'include'), join(folder, 'deps/include'));
  for (const [name, short] of [
    ['libtensorflow_cc.so.2', 'libtensorflow.so'],
    ['libtensorflow_framework.so.2', 'libtensorflow_framework.so'],
  ]) {
    symlinkSync(join(LIBTENSORFLOW, name), join(lib, name));
    symlinkSync(name, join(lib, short));
  }
  const target = join(folder, `lib/napi-v${NAPI_VERSION}`);
  mkdirSync(target, {recursive: true});
  const temporary = join(target, `tfjs_binding.${process.pid}.tmp`);
  run(
    compiler(),
    [
      ...['-O2', '-std=c++17', '-shared', '-fPIC', '-w', `-DNAPI_VERSION=${NAPI_VERSION}`],
      ...['-I', join(folder, 'deps/include'), '-I', nodeIncludeDir(root), '-I', folder],
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(folder, 'binding', name)),
      ...['-L', lib, '-ltensorflow', '-ltensorflow_framework', '-Wl,-rpath,$ORIGIN/../../deps/lib'],
      ...['-o', temporary],
    ],
    root,
  );
  renameSync(temporary, join(target, 'tfjs_binding.node'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    setupTensorFlow();
    const problem = whyNoOps(root);
    if (problem != null) {
      throw new Error(problem);
    }
    console.log('tfjs-node works, with the ops of this library: npm start -- --backend tensorflow');
  } catch (error) {
    console.error(`setup:tensorflow: ${error.message}`);
    process.exitCode = 1;
  }
}
