import * as tf from '@tensorflow/tfjs';
import {InvalidArgumentError, Option, program} from 'commander';
import {writeFileSync} from 'node:fs';
import {relative} from 'node:path';
import type {Precision} from '../src/kernel_names';
import {PRECISIONS} from '../src/webgpu';
import {BACKENDS, startBackend, type StartedBackend} from './backend';
import {type Benchmark, type Effort, measure, type Result, type Synchronize} from './harness';
import {describeMachine} from './machine';
import {formatMarkdown, readReports} from './markdown';
import {plotReport} from './plot';
import {formatTable, type Report, writeReport} from './report';

interface Options extends Effort {
  only?: string;
  backend: string;
  precision: Precision;
  plot: boolean;
  list: boolean;
  markdown: boolean;
  folder: string;
}

/** `npm run bench`: measures the benchmarks, prints their tables and writes their reports. */
export async function main(args: string[], benchmarks: Benchmark[]) {
  const options = parse(args);
  const chosen = benchmarks.filter(({name}) => name.includes(options.only ?? ''));
  if (chosen.length === 0) {
    throw new Error(`no benchmark is called ${options.only}; see --list`);
  }
  if (options.list) {
    chosen.forEach(({name, description}) => console.log(`${name}: ${description}`));
    return;
  }
  if (options.markdown) {
    const reports = readReports(options.folder);
    const isChosen = ({benchmark}: Report) => chosen.some(({name}) => name === benchmark);
    const markdown = formatMarkdown(reports.filter(isChosen));
    if (markdown === '') {
      throw new Error(`no report in ${options.folder} has a row for it; run the benchmarks first`);
    }
    console.log(markdown);
    return;
  }
  const backend = await startBackend(options.backend, options.precision);
  try {
    for (const benchmark of chosen) {
      await runBenchmark(benchmark, options, backend);
    }
  } finally {
    backend.dispose?.();
  }
}

async function runBenchmark(
  {name, description, comparisons}: Benchmark,
  options: Options,
  {gpu, synchronize}: StartedBackend,
) {
  console.log(`\n${name}: ${description}`);
  const results: Result[] = [];
  for (const makeComparison of comparisons) {
    const result = await runComparison(makeComparison, options, synchronize);
    console.log(`\n${formatTable(result)}`);
    results.push(result);
  }
  const report = {
    benchmark: name,
    description,
    date: new Date().toISOString(),
    machine: describeMachine(gpu),
    results,
  };
  const path = writeReport(options.folder, report);
  console.log(`\nwritten: ${relative('.', path)}`);
  if (options.plot) {
    const picture = path.replace(/json$/, 'svg');
    writeFileSync(picture, plotReport(report));
    console.log(`written: ${relative('.', picture)}`);
  }
}

async function runComparison(
  makeComparison: Benchmark['comparisons'][number],
  effort: Effort,
  synchronize?: Synchronize,
): Promise<Result> {
  tf.engine().startScope();
  try {
    return await measure(makeComparison(), effort, synchronize);
  } finally {
    tf.engine().endScope();
    tf.disposeVariables();
  }
}

function parse(args: string[]): Options {
  return program
    .name('npm run bench --')
    .description('Measures the kernels and layers beside their baselines.')
    .option('--only <name>', 'only the benchmarks whose name contains this')
    .addOption(new Option('--backend <name>', 'the backend').choices(BACKENDS).default('wasm'))
    .addOption(
      new Option('--precision <name>', 'how products multiply on webgpu')
        .choices(PRECISIONS)
        .default(PRECISIONS[0]),
    )
    .option('--seconds <number>', 'how long each contender runs', positive, 3)
    .option('--min-runs <number>', 'how often each contender runs at least', positive, 3)
    .option('--warm-up-runs <number>', 'how often each contender runs before', positive, 1)
    .option('--plot', 'draw each report as an SVG', false)
    .option('--list', 'list the benchmarks and end', false)
    .option('--markdown', "print the README's table from the reports there are, and end", false)
    .option('--folder <path>', 'where the reports are', 'runs/bench')
    .parse(args, {from: 'user'})
    .opts<Options>();
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0)) {
    throw new InvalidArgumentError('It must be a positive number.');
  }
  return number;
}
