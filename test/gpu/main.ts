import {runTests, type Totals} from './runner';
import {InvalidArgumentError, Option, program} from 'commander';
import {setupWebGPU} from '../../src/webgpu';
import type {Precision} from '../../src/kernel_names';

/** The test files by name, and how to load each, which declares its tests. */
export type TestFiles = Record<string, () => Promise<unknown>>;

interface Options {
  backend: 'tensorflow' | 'webgpu';
  filter?: RegExp;
  files?: RegExp;
  precision: Precision;
  cases: number;
  seed: number;
  software: boolean;
  boundsChecks: boolean;
}

/** How much is printed of a failure. */
const MESSAGE_LINES = 12;

/** Runs the test files on the GPU of this machine and ends the process. */
export async function main(files: TestFiles) {
  const options = parseOptions();
  Object.assign(process.env, {
    [`MEGABLOCKS_${options.backend.toUpperCase()}`]: 'found',
    MEGABLOCKS_BACKENDS: options.backend,
    MEGABLOCKS_PRECISION: options.precision,
    MEGABLOCKS_SOFTWARE: options.software ? 'allowed' : 'refused',
    MEGABLOCKS_BOUNDS_CHECKS: options.boundsChecks ? 'on' : 'off',
    MEGABLOCKS_RANDOM_CASES: String(options.cases),
    MEGABLOCKS_RANDOM_SEED: String(options.seed),
  });
  let code = 1;
  try {
    await (options.backend === 'webgpu' ? setupDawn(options) : setupTensorFlow(options));
    const {passed, failed, skipped} = await runFiles(files, options);
    console.log(`tests: ${passed} passed, ${failed} failed, ${skipped} skipped`);
    // Where nothing matches, nothing was tested.
    code = failed > 0 || passed === 0 ? 1 : 0;
  } catch (error) {
    console.error((error as Error).message);
  }
  // Dawn crashes when what it made is collected at the end of the process.
  process.exit(code);
}

function parseOptions(): Options {
  return program
    .name('kernels.mjs')
    .description(
      'Runs the tests on the GPU of this machine; the current directory is the checkout.',
    )
    .addOption(
      new Option('--backend <backend>', 'what runs the kernels')
        .choices(['webgpu', 'tensorflow'])
        .default('webgpu'),
    )
    .option('--filter <regex>', 'only the tests whose titles match', regex)
    .option('--files <regex>', 'only the test files whose names match', regex)
    .addOption(
      new Option('--precision <precision>', 'how products multiply')
        .choices(['float32', 'float16'])
        .default('float32'),
    )
    .option('--cases <number>', 'random cases of each family of kernels', count, 200)
    .option('--seed <number>', 'of the random cases', count, 1)
    .option('--no-bounds-checks', 'without the bounds checks of the GPU')
    .option('--software', 'accept a GPU in software', false)
    .parse()
    .opts<Options>();
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function count(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new InvalidArgumentError('It must be a number of at least 0.');
  }
  return Number(text);
}

/** Says what there is, refuses what was not asked for, and leaves Dawn where every test finds it. */
async function setupDawn({precision, boundsChecks, software}: Options) {
  const setup = await setupWebGPU({precision, boundsChecks, allowSoftware: software});
  console.log(
    `${setup.adapter} (${setup.vendor}), ${setup.precision}: ${setup.features.join(' ')}`,
  );
  const {gpu} = navigator;
  setup.dispose();
  // One Dawn a process, for as long as it lasts.
  Object.defineProperty(navigator, 'gpu', {value: gpu, configurable: true});
  if (setup.precision !== precision && !software) {
    throw new Error(`this GPU multiplies in ${setup.precision}, not in ${precision}`);
  }
}

/** Says what there is, and refuses a TensorFlow whose ops run on the CPU. */
async function setupTensorFlow({software}: Options) {
  // TensorFlow's own products would multiply in TF32, and the tests expect float32.
  process.env.NVIDIA_TF32_OVERRIDE = '0';
  const {tensorflow} = await import('../../src/tensorflow');
  console.log(JSON.stringify(tensorflow));
  const {problem} = tensorflow.cuda ?? {problem: 'they were built without CUDA'};
  if (problem != null && !software) {
    throw new Error(`the ops run on no GPU: ${problem}`);
  }
}

async function runFiles(files: TestFiles, {files: names, filter}: Options): Promise<Totals> {
  const totals: Totals = {passed: 0, failed: 0, skipped: 0};
  for (const [name, load] of Object.entries(files)) {
    if (!(names?.test(name) ?? true)) {
      continue;
    }
    const begin = performance.now();
    const ofFile = await runTests(load, {filter, onFailure: report});
    const {passed, failed, skipped} = ofFile;
    if (passed + failed + skipped > 0) {
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      const parts = [
        `${passed} passed`,
        failed && `${failed} failed`,
        skipped && `${skipped} skipped`,
      ];
      console.log(`${name}: ${parts.filter(Boolean).join(', ')} (${seconds} s)`);
    }
    for (const kind of ['passed', 'failed', 'skipped'] as const) {
      totals[kind] += ofFile[kind];
    }
  }
  return totals;
}

function report(fullTitle: string, error: unknown) {
  const message = error instanceof Error ? error.message : String(error);
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  console.log(`FAILED ${fullTitle}`);
  console.log(
    lines
      .slice(0, MESSAGE_LINES)
      .map((line) => `    ${line}`)
      .join('\n'),
  );
}
