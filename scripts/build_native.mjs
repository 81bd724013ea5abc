// `npm run build:native`: builds native/, the op library for tfjs-node or tfjs-node-gpu, whichever is
// installed, against the libtensorflow that it has; with the kernels for GPUs where nvcc is in the PATH, or
// CUDACXX names it. Arguments go to CMake's configuration. With MEGABLOCKS_SANITIZE=1 in the environment, ops
// that check every access and all arithmetic are built beside them, and loaded where it is set.
import {cpus} from 'node:os';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import megablocks from '../native/index.cjs';
import {
  compiler,
  exists,
  nodeIncludeDir,
  run,
  tensorflowVersion,
  tfjsNode,
} from './native_util.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const native = join(root, 'native');

const {ADDON} = megablocks;

/** No build takes so long. */
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Builds the addon, unless it is newer than its sources and libtensorflow and `always` is false.
 *
 * @throws If something is missing; the message says what.
 */
export function buildNative({always = false, cmakeArguments = []} = {}) {
  const libraries = libtensorflow();
  if (!always && isUpToDate(libraries)) {
    return;
  }
  if (!exists('cmake')) {
    throw new Error('CMake must be installed, 3.18 or newer');
  }
  console.log('Building the TensorFlow ops ...');
  const define = (name, value) => `-D${name}=${value}`;
  const definitions = [
    define('CMAKE_CXX_COMPILER', compiler()),
    define('TENSORFLOW_LIB_DIR', libraries),
    define('TENSORFLOW_INCLUDE_DIR', join(dirname(libraries), 'include')),
    define('TENSORFLOW_VERSION', tensorflowVersion(root)),
    define('NODE_INCLUDE_DIR', nodeIncludeDir(root)),
    define('MEGABLOCKS_SANITIZE', process.env.MEGABLOCKS_SANITIZE ? 'ON' : 'OFF'),
  ];
  mkdirSync(dirname(ADDON), {recursive: true});
  removeKilledBuilds();
  // Its own, as another build may run; and a new one, as CMake remembers a compiler and libraries that may be out
  // of date.
  const build = mkdtempSync(join(dirname(ADDON), 'cmake-'));
  try {
    const configure = ['-S', native, '-B', build, ...definitions, ...cmakeArguments];
    console.log(/MegaBlocks: (.*)/.exec(run('cmake', configure, root))[1]);
    run('cmake', ['--build', build, '--parallel', String(cpus().length)], root);
    // A process may have the old one open.
    renameSync(join(build, 'megablocks.node'), ADDON);
  } finally {
    rmSync(build, {recursive: true, force: true});
  }
}

/** A build that is killed leaves its folder. */
function removeKilledBuilds() {
  readdirSync(dirname(ADDON))
    .filter((name) => name.startsWith('cmake'))
    .map((name) => join(dirname(ADDON), name))
    .filter((path) => statSync(path, {throwIfNoEntry: false})?.mtimeMs < Date.now() - DAY_MS)
    .forEach((path) => rmSync(path, {recursive: true, force: true}));
}

/** The folder of libtensorflow. */
function libtensorflow() {
  const folder = tfjsNode(root);
  if (folder == null) {
    throw new Error('@tensorflow/tfjs-node or @tensorflow/tfjs-node-gpu must be installed');
  }
  const libraries = join(folder, 'deps/lib');
  if (!existsSync(libraries)) {
    throw new Error(`${folder} has no libtensorflow: npm run setup:tensorflow brings one`);
  }
  return libraries;
}

function isUpToDate(libraries) {
  const sources = readdirSync(native, {recursive: true, withFileTypes: true})
    .filter((entry) => entry.isFile() && /\.(cc|h|cu|cuh)$|^CMakeLists.txt$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter((path) => !/[\\/]native[\\/](build|deps)[\\/]/.test(path));
  const times = [...sources, libraries].map((path) => statSync(path).mtimeMs);
  return existsSync(ADDON) && statSync(ADDON).mtimeMs > Math.max(...times);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    buildNative({always: true, cmakeArguments: process.argv.slice(2)});
  } catch (error) {
    console.error(`build:native: ${error.message}`);
    process.exitCode = 1;
  }
}
