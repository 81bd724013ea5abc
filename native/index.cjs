// Loads tfjs-node or tfjs-node-gpu, and into its TensorFlow the ops of this library. What this package
// calls `tfjs-megablocks/native`; users import `tfjs-megablocks/tensorflow`.
require('./node_util_polyfill.cjs');
const {existsSync, realpathSync} = require('node:fs');
const {join} = require('node:path');

const BACKENDS = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];
/** One that checks every access is apart: it loads only where its runtime is preloaded. */
const BUILD = process.env.MEGABLOCKS_SANITIZE ? 'build/sanitized' : 'build';
const ADDON = join(__dirname, BUILD, 'megablocks.node');
/** Which addon this process has: of a second one TensorFlow takes no ops, and ends the process. */
const LOADED = Symbol.for('tfjs-megablocks/native');

/** The first of the packages that is installed: its name and its exports. */
function loadTfjsNode() {
  for (const name of BACKENDS) {
    try {
      require.resolve(name);
    } catch {
      continue;
    }
    try {
      return {name, tf: require(name)};
    } catch (error) {
      throw new Error(`tfjs-megablocks/tensorflow: ${name} must load, got: ${error.message}`, {
        cause: error,
      });
    }
  }
  throw new Error(
    `tfjs-megablocks/tensorflow: ${BACKENDS.join(' or ')} must be installed, got neither; ` +
      'in a checkout, npm run setup:tensorflow brings one',
  );
}

function loadAddon() {
  if (!existsSync(ADDON)) {
    throw new Error(
      'tfjs-megablocks/tensorflow: the ops must be built, with a C++ compiler and CMake: ' +
        `npm run build:native in ${join(__dirname, '..')}`,
    );
  }
  const file = realpathSync(ADDON);
  const loaded = process[LOADED] ?? file;
  if (loaded !== file) {
    throw new Error(
      'tfjs-megablocks/tensorflow: a process must have one copy of the ops (npm ls tfjs-megablocks), ' +
        `got ${loaded} and ${file}`,
    );
  }
  try {
    const addon = require(file);
    process[LOADED] = file;
    return addon;
  } catch (error) {
    throw new Error(
      'tfjs-megablocks/tensorflow: the ops must fit the installed libtensorflow; build them again ' +
        `(npm run build:native in ${join(__dirname, '..')}), got: ${error.message}`,
      {cause: error},
    );
  }
}

/** What the ops were built with for GPUs, and why they do not run on one where they do not. */
function describeCuda({tensorflow, ...cuda}, version, isUsingGpuDevice) {
  if (tensorflow != null && tensorflow !== version) {
    throw new Error(
      `tfjs-megablocks/tensorflow: the ops must be built for TensorFlow ${version}, got ${tensorflow}: ` +
        `npm run build:native in ${join(__dirname, '..')}`,
    );
  }
  if (cuda.problem == null && !isUsingGpuDevice) {
    const cause = 'its build is for the CPU, or a CUDA library is missing (its own log names it)';
    return {...cuda, problem: `TensorFlow ${version} uses no GPU: ${cause}`};
  }
  return cuda;
}

/** Loads both, and tells what was found. A failure is an error that says what is missing. */
function loadNative() {
  const {name, tf} = loadTfjsNode();
  // The backend has the context in which the ops run.
  const backend = tf.findBackend('tensorflow');
  const version = backend.binding.TF_Version;
  const {instructions, threads, cuda} = loadAddon();
  return {
    package: name,
    version,
    devices: backend.isUsingGpuDevice ? ['CPU', 'GPU'] : ['CPU'],
    instructions,
    threads,
    ...(cuda == null ? {} : {cuda: describeCuda(cuda, version, backend.isUsingGpuDevice)}),
  };
}

module.exports = {ADDON, loadNative};
