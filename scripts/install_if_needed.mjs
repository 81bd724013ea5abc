// Installs the dependencies where they are missing or older than the lock file.
import {spawnSync} from 'node:child_process';
import {existsSync, statSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {tfjsNode} from './native_util.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs `npm ci` if node_modules is missing or older than package-lock.json. */
export function installIfNeeded() {
  // npm writes this file at the end of every installation.
  const installed = modified(join(root, 'node_modules/.package-lock.json'));
  if (installed >= modified(join(root, 'package-lock.json'))) {
    return;
  }
  const tensorflow = tfjsNode(root);
  console.log('Installing the dependencies (npm ci) ...');
  const {status, error} = npm(['ci', '--no-progress']);
  if (status !== 0) {
    throw new Error(`npm ci failed${error ? `: ${error.message}` : ''}`);
  }
  if (tensorflow != null && !existsSync(tensorflow)) {
    // The lock file does not have it.
    console.warn('npm ci removed tfjs-node: npm run setup:tensorflow brings it back');
  }
}

function npm(args) {
  const options = {cwd: root, stdio: 'inherit'};
  // Set where npm itself runs this; elsewhere npm is looked up, on Windows by the shell.
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js')
    ? spawnSync(process.execPath, [cli, ...args], options)
    : spawnSync('npm', args, {...options, shell: process.platform === 'win32'});
}

function modified(file) {
  return statSync(file, {throwIfNoEntry: false})?.mtimeMs ?? 0;
}
