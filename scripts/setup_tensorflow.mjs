// `npm run setup:tensorflow`: makes @tensorflow/tfjs-node work in this checkout, also where its own
// download of libtensorflow fails, and builds this library's ops for it. A tfjs-node that works already is
// left as it is. Else libtensorflow comes from the Python package tensorflow-cpu (pip must be there), and
// tfjs-node's addon is compiled for it. With --gpu it comes from the package `tensorflow`, which is built for
// NVIDIA's GPUs and has the headers of TensorFlow's stream, whatever tfjs-node had before. CUDA's libraries
// must be where the loader finds them.
import {spawnSync} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
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
/** The Python package for each device, and what of it is needed: both libraries, and the headers. */
const PACKAGES = {
  cpu: {
    name: 'tensorflow-cpu',
    folder: `libtensorflow-${TENSORFLOW}`,
    parts: [
      'tensorflow/libtensorflow_',
      'tensorflow/include/tensorflow/c/',
      'tensorflow/include/tensorflow/core/platform/ctstring',
      'tensorflow/include/xla/tsl/c/',
      'tensorflow/include/tsl/platform/ctstring',
    ],
  },
  gpu: {
    name: 'tensorflow',
    folder: `libtensorflow-gpu-${TENSORFLOW}`,
    parts: ['tensorflow/libtensorflow_', 'tensorflow/include/'],
  },
};

/** The Node-API version that tfjs-node's addon goes by. */
const NAPI_VERSION = 8;

/**
 * Makes tfjs-node and the ops work.
 *
 * @throws If something is missing; the message says what.
 */
export function setupTensorFlow({gpu = false} = {}) {
  const needed = PACKAGES[gpu ? 'gpu' : 'cpu'];
  // Kept apart from node_modules, which npm empties.
  const libtensorflow = join(root, 'native/deps', needed.folder);
  if (tfjsNode(root) == null) {
    console.log(`Installing ${TFJS_NODE} ...`);
    const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-progress'];
    run('npm', ['install', ...flags, TFJS_NODE], root);
  }
  if ((gpu && !uses(tfjsNode(root), libtensorflow)) || whyNoTfjsNode(root) != null) {
    provideLibtensorflow(needed, libtensorflow);
    compileBinding(tfjsNode(root), libtensorflow);
    const problem = whyNoTfjsNode(root);
    if (problem != null) {
      throw new Error(`tfjs-node does not load: ${problem}`);
    }
  }
  buildNative({always: gpu});
}

/** Whether tfjs-node has this libtensorflow. */
function uses(folder, libtensorflow) {
  const library = join(folder, 'deps/lib/libtensorflow.so');
  return (
    existsSync(library) &&
    existsSync(libtensorflow) &&
    dirname(realpathSync(library)) === realpathSync(libtensorflow)
  );
}

/** Takes libtensorflow and its headers out of the Python package. */
function provideLibtensorflow({name, parts}, libtensorflow) {
  if (existsSync(libtensorflow)) {
    return;
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `libtensorflow for ${process.platform} ${process.arch} must come with tfjs-node's own installation: ` +
        'npm rebuild @tensorflow/tfjs-node',
    );
  }
  console.log(`Downloading ${name} ${TENSORFLOW} ...`);
  const deps = dirname(libtensorflow);
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
    const download = [...wheel, ...quiet, '--dest', folder, `${name}==${TENSORFLOW}`];
    run(python, ['-m', 'pip', 'download', ...download], root);
    const [file] = readdirSync(folder).filter((name) => name.endsWith('.whl'));
    run(python, ['-c', UNPACK, join(folder, file), folder, ...parts], root);
    renameSync(join(folder, 'tensorflow'), libtensorflow);
  } finally {
    rmSync(folder, {recursive: true, force: true});
  }
}

/** Unpacks the parts of a package, in Python. */
const UNPACK = `
import sys, zipfile
wheel, folder, *parts = sys.argv[1:]
with zipfile.ZipFile(wheel) as package:
    for name in package.namelist():
        if name.startswith(tuple(parts)):
            package.extract(name, folder)
`;

/** Compiles tfjs-node's addon where tfjs-node looks for it. */
function compileBinding(folder, libtensorflow) {
  console.log("Compiling tfjs-node's addon ...");
  const lib = join(folder, 'deps/lib');
  rmSync(join(folder, 'deps'), {recursive: true, force: true});
  mkdirSync(lib, {recursive: true});
  symlinkSync(join(libtensorflow, 'include'), join(folder, 'deps/include'));
  for (const [name, short] of [
    ['libtensorflow_cc.so.2', 'libtensorflow.so'],
    ['libtensorflow_framework.so.2', 'libtensorflow_framework.so'],
  ]) {
    symlinkSync(join(libtensorflow, name), join(lib, name));
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
    setupTensorFlow({gpu: process.argv.includes('--gpu')});
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
