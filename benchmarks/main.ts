import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import {InvalidArgumentError, Option, program} from 'commander';
import {writeFileSync} from 'node:fs';
import {relative} from 'node:path';
import {type Benchmark, type Effort, measure, type Result} from './harness';
import {describeMachine} from './machine';
import {plotReport} from './plot';
import {formatTable, writeReport} from './report';

interface Options extends Effort {
  only?: string;
  backend: string;
  plot: boolean;
  list: boolean;
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
  if (!(await tf.setBackend(options.backend))) {
    throw new Error(`the ${options.backend} backend did not start`);
  }
  for (const benchmark of chosen) {
    runBenchmark(benchmark, options);
  }
}

function runBenchmark({name, description, comparisons}: Benchmark, options: Options) {
  console.log(`\n${name}: ${description}`);
  const results = comparisons.map((makeComparison) => {
    const result = runComparison(makeComparison, options);
    console.log(`\n${formatTable(result)}`);
    return result;
  });
  const report = {
    benchmark: name,
    description,
    date: new Date().toISOString(),
    machine: describeMachine(),
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

function runComparison(makeComparison: Benchmark['comparisons'][number], effort: Effort): Result {
  tf.engine().startScope();
  try {
    return measure(makeComparison(), effort);
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
    .addOption(
      new Option('--backend <name>', 'the backend').choices(['cpu', 'wasm']).default('wasm'),
    )
    .option('--seconds <number>', 'how long each contender runs', positive, 3)
    .option('--min-runs <number>', 'how often each contender runs at least', positive, 3)
    .option('--warm-up-runs <number>', 'how often each contender runs before', positive, 1)
    .option('--plot', 'draw each report as an SVG', false)
    .option('--list', 'list the benchmarks and end', false)
    .option('--folder <path>', 'where the reports go', 'runs/bench')
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
