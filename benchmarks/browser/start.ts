import {type Found, launchChromium} from '../../test/browser/launch';
import {serve} from '../../test/browser/serve';
import type {Precision} from '../../src/kernel_names';
import type {Benchmark, Effort} from '../harness';
import {describeMachine} from '../machine';
import type {Runner} from '../runner';
import {bundlePage} from './bundle';

const HTML = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>Benchmarks</title>
<script type="module" src="/page.js"></script>`;

/**
 * Runs benchmarks in a page of Chromium.
 *
 * @param found The Chromium to use.
 * @param benchmarks Those that the page has, each from benchmarks/<name>_bench.ts.
 */
export async function runInBrowser(
  found: Found,
  benchmarks: readonly Benchmark[],
  {backend, precision, ...effort}: Effort & {backend: string; precision: Precision},
): Promise<Runner> {
  if (found.missing != null) {
    throw new Error(`there is no browser to run the benchmarks in: ${found.missing}`);
  }
  const script = await bundlePage(benchmarks.map(({name}) => name));
  const server = await serve(
    (path) =>
      ({
        '/': {type: 'text/html', body: HTML},
        '/page.js': {type: 'text/javascript', body: script},
      })[path],
  );
  const browser = await launchChromium(found);
  const dispose = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(error.message));
    await page.goto(server.url);
    await page.waitForFunction('globalThis.runInPage != null');
    const gpu = await page.evaluate(([backend, precision]) => startInPage(backend, precision), [
      backend,
      precision,
    ] as const);
    return {
      machine: describeMachine({gpu, backend, browser: `Chromium ${browser.version()}`}),
      run: ({name}, comparison) =>
        page.evaluate(([name, comparison, effort]) => runInPage(name, comparison, effort), [
          name,
          comparison,
          effort,
        ] as const),
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}
