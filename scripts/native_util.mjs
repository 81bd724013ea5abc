// What building native code takes: where its parts are, and which of them are missing.
import {spawnSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';

/** Runs a command, with its output shown where it fails. */
export function run(command, args, cwd) {
  const {status, stdout, stderr, error} = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) {
    const reason = error?.message ?? `${stdout}\n${stderr}`.trim().slice(-4000);
    throw new Error(`${command} ${args[0] ?? ''} failed: ${reason}`);
  }
  return stdout;
}

/** Whether a command is there. */
export function exists(command) {
  return spawnSync(command, ['--version'], {stdio: 'ignore'}).status === 0;
}

/** The C++ compiler: CXX, or the one the system has. */
export function compiler() {
  const found = [process.env.CXX, 'c++', 'g++', 'clang++'].find((name) => name && exists(name));
  if (found == null) {
    throw new Error('a C++ compiler must be installed, such as g++ or clang++; CXX can name it');
  }
  return found;
}

/** The folder of node_api.h, which comes with Node.js; else of the package node-api-headers. */
export function nodeIncludeDir(root) {
  const folders = [join(dirname(dirname(process.execPath)), 'include/node'), '/usr/include/node'];
  try {
    const require = createRequire(join(root, 'package.json'));
    folders.push(require('node-api-headers').include_dir);
  } catch {
    // It is not needed where Node.js has its headers.
  }
  const found = folders.find((folder) => existsSync(join(folder, 'node_api.h')));
  if (found == null) {
    throw new Error(
      "node_api.h must be there: install the headers of Node.js, or npm's package node-api-headers",
    );
  }
  return found;
}

/** The folder of tfjs-node or of tfjs-node-gpu as `root` sees it; undefined where there is neither. */
export function tfjsNode(root) {
  const require = createRequire(join(root, 'package.json'));
  for (const name of ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']) {
    try {
      return dirname(require.resolve(`${name}/package.json`));
    } catch {
      // The other one may be there.
    }
  }
  return undefined;
}

/** Evaluates code in a process of its own: what it printed, or what went wrong. */
function evaluate(code, root) {
  const polyfill = join(root, 'native/node_util_polyfill.cjs');
  const {status, stdout, stderr, signal} = spawnSync(
    process.execPath,
    ['--require', polyfill, '--eval', code],
    {cwd: root, encoding: 'utf8', env: {...process.env, TF_CPP_MIN_LOG_LEVEL: '2'}},
  );
  if (status === 0) {
    return {printed: stdout.trim()};
  }
  const said = /^\w*Error.*$/m.exec(stderr)?.[0];
  return {problem: said ?? (signal ? `it ended by ${signal}` : stderr.trim())};
}
const whyNotRunning = (code, root) => evaluate(code, root).problem;

const requireTfjsNode = (root) => `require(${JSON.stringify(tfjsNode(root))})`;

/** The version of the libtensorflow that tfjs-node has; throws where it does not load. */
export function tensorflowVersion(root) {
  const {printed, problem} = evaluate(
    `console.log(${requireTfjsNode(root)}.backend().binding.TF_Version)`,
    root,
  );
  if (problem != null) {
    throw new Error(`tfjs-node must load, got: ${problem}`);
  }
  return printed;
}

/** Why tfjs-node does not load; undefined where it does. */
export const whyNoTfjsNode = (root) => whyNotRunning(requireTfjsNode(root), root);

/** Why this library's ops do not load into it; undefined where they do. */
export const whyNoOps = (root) => whyNotRunning("require('./native/index.cjs').loadNative()", root);
