// The `tensorflow` backend for the tests: tfjs-node with this library's ops, on the CPU.
import {dirname} from 'node:path';
import {fileURLToPath} from 'node:url';
import {buildNative} from './build_native.mjs';
import {tfjsNode, whyNoOps} from './native_util.mjs';
import {setupTensorFlow} from './setup_tensorflow.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Its own ops round as they are documented, and it does not print what it finds. */
const ENV = {TF_ENABLE_ONEDNN_OPTS: '0', TF_CPP_MIN_LOG_LEVEL: '2'};

/**
 * Builds the ops where tfjs-node is installed; in CI it is brought first, and a failure is an error.
 *
 * @returns {{env: Record<string, string>} | {missing: string}} What a process must start with, or why
 *     there is no such backend here.
 */
export function tensorflow() {
  if (process.env.CI) {
    setupTensorFlow();
    return {env: ENV};
  }
  if (tfjsNode(root) == null) {
    return {missing: 'npm run setup:tensorflow brings tfjs-node'};
  }
  try {
    buildNative();
  } catch (error) {
    return {missing: error.message};
  }
  const missing = whyNoOps(root);
  return missing == null ? {env: ENV} : {missing};
}
