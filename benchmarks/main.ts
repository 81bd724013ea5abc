import {InvalidArgumentError, Option, program} from 'commander';
import {writeFileSync} from 'node:fs';
import {relative} from 'node:path';
import type {Precision} from '../src/kernel_names';
import {PRECISIONS} from '../src/webgpu';
import type {Found} from '../test/browser/launch';
import {BACKENDS, BROWSER_BACKENDS, startBackend} from './backend';
import {runInBrowser} from './browser/start';
import type {Benchmark, Effort, Result} from './harness';
import {formatMarkdown, readReports} from './markdown';
import {plotReport} from './plot';
import {formatTable, type Report, writeReport} from './report';
import {runHere, type Runner} from './runner';

interface Options extends Effort {
  only?: string;
  backend: string;
  browser: boolean;
  precision: Precision;
  plot: boolean;
  list: boolean;
  markdown: boolean;
  folder: string;
}

/**
 * `npm run bench`: measures the benchmarks, prints their tables and writes their reports.
 *
 * @param findChromium Finds the browser for those in a page.
 */
export async function main(
  args: string[],
  benchmarks: Benchmark[],
  findChromium: () => Promise<Found>,
) {
  const options = parse(args);
  const chosen = benchmarks.filter(
    ({name, needsNode}) => name.includes(options.only ?? '') && !(options.browser && needsNode),
  );
  if (chosen.length === 0) {
    const where = options.browser ? ' for a browser' : '';
    throw new Error(`no benchmark${where} is called ${options.only}; see --list`);
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
  const runner = options.browser
    ? await runInBrowser(await findChromium(), chosen, options)
    : runHere(await startBackend(options.backend, options.precision), options);
  try {
    for (const benchmark of chosen) {
      await runBenchmark(benchmark, options, runner);
    }
  } finally {
    await runner.dispose?.();
  }
}

async function runBenchmark(benchmark: Benchmark, options: Options, {machine, run}: Runner) {
  const {name, description, comparisons} = benchmark;
  console.log(`\n${name}: ${description}`);
  const results: Result[] = [];
  for (let i = 0; i < comparisons.length; i++) {
    const result = await run(benchmark, i);
    console.log(`\n${formatTable(result)}`);
    results.push(result);
  }
  const report = {
    benchmark: name,
    description,
    date: new Date().toISOString(),
    machine,
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

function parse(args: string[]): Options {
  const options = program
    .name('npm run bench --')
    .description('Measures the kernels and layers beside their baselines.')
    .option('--only <name>', 'only the benchmarks whose name contains this')
    .option('--browser', 'in a page of Chromium, on webgl by default', false)
    .addOption(new Option('--backend <name>', 'the backend; default wasm').choices(BACKENDS))
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
    .opts<Omit<Options, 'backend'> & {backend?: string}>();
  const {browser, backend = browser ? 'webgl' : 'wasm'} = options;
  if (!browser && BROWSER_BACKENDS.includes(backend)) {
    throw new Error(`${backend} is in a browser alone; add --browser`);
  }
  return {...options, backend};
}

function positive(value: string): number {
  const number = Number(value);
  if (!(number > 0)) {
    throw new InvalidArgumentError('It must be a positive number.');
  }
  return number;
}
