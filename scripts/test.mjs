// `npm test`: installs what is missing, compiles the wasm kernels, and runs jest, to which arguments
// are passed on. The last line is always the totals.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {chromium} from './chromium.mjs';
import {installIfNeeded} from './install_if_needed.mjs';
import {softwareGpu} from './software_gpu.mjs';
import {tensorflow} from './tensorflow.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs jest; test/totals_reporter.cjs sends the totals, unless jest fails before its first test. */
async function runJest(args) {
  const gpu = await softwareGpu();
  if (gpu.missing != null) {
    console.warn(`WebGPU is skipped: ${gpu.missing}`);
  }
  const browser = await chromium();
  if (browser.missing != null) {
    console.warn(`Chromium is skipped: ${browser.missing}`);
  }
  const tfjsNode = tensorflow();
  if (tfjsNode.missing != null) {
    console.warn(`tensorflow is skipped: ${tfjsNode.missing}`);
  }
  const env = {
    ...process.env,
    MEGABLOCKS_TENSORFLOW: tfjsNode.missing ?? 'found',
    MEGABLOCKS_WEBGPU: gpu.missing ?? 'found',
    MEGABLOCKS_CHROMIUM: JSON.stringify(browser),
    ...gpu.env,
    ...tfjsNode.env,
  };
  const jest = spawn(process.execPath, [join(root, 'node_modules/jest/bin/jest.js'), ...args], {
    cwd: root,
    env,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  let totals;
  jest.on('message', (message) => (totals = message));
  const [code] = await once(jest, 'exit');
  return {code: code ?? 1, totals: totals ?? {passed: 0, failed: code === 0 ? 0 : 1, skipped: 0}};
}

async function runTests(args) {
  try {
    installIfNeeded();
    await import('./build_wasm.mjs');
    return await runJest(args);
  } catch (error) {
    console.error(error.message);
    return {code: 1, totals: {passed: 0, failed: 1, skipped: 0}};
  }
}

const {code, totals} = await runTests(process.argv.slice(2));
console.log(`tests: ${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = code;
