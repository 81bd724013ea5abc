import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Browser} from 'playwright-core';
import {bundlePage} from './bundle';
import {launchChromium} from './launch';
import {collectErrors} from './page_errors';
import {type Content, serve, type Serving} from './serve';

const TEST = join(__dirname, '..');
/** The folders in `test` that the page reads. */
const FOLDERS = ['cases', 'goldens'];

const HTML = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>Tests</title>
<script type="module" src="/page.js"></script>`;

function servePage(script: Uint8Array): Promise<Serving> {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(TEST, folder), {withFileTypes: true})
      .filter((entry) => entry.isFile())
      .map(({name}) => `/test/${folder}/${name}`),
  );
  const contents: Record<string, () => Content> = {
    '/': () => ({type: 'text/html', body: HTML}),
    '/page.js': () => ({type: 'text/javascript', body: script}),
    '/files.json': () => ({type: 'application/json', body: JSON.stringify(files)}),
  };
  for (const file of files) {
    contents[file] = () => ({
      type: 'application/octet-stream',
      body: readFileSync(join(TEST, '..', file)),
    });
  }
  return serve((path) => contents[path]?.());
}

export interface Running {
  /** What the browser calls itself. */
  version: string;
  /** Settles when the page has run every test, or cannot. */
  done: Promise<unknown>;
  /** What the page reported beside the results of the tests. */
  errors: string[];
  stop: () => Promise<void>;
}

/** Runs the tests in a page of Chromium and tells `report` of each, by its full title. */
export async function runInChromium(
  report: (fullTitle: string, error?: string) => void,
): Promise<Running> {
  const server = await servePage(await bundlePage());
  let browser: Browser | undefined;
  const stop = async () => {
    await browser?.close();
    server.close();
  };
  try {
    browser = await launchChromium();
    const page = await browser.newPage();
    const errors = collectErrors(page);
    const crash = new Promise<never>((_, reject) => {
      page.on('crash', () => reject(new Error('the page crashed')));
      browser!.on('disconnected', () => reject(new Error('Chromium ended')));
    });
    crash.catch(() => undefined);
    await page.exposeFunction('reportTest', report);
    await page.goto(server.url);
    await page.waitForFunction('globalThis.runTestFiles != null');
    const done = Promise.race([page.evaluate('runTestFiles()'), crash]);
    return {version: browser.version(), done, errors, stop};
  } catch (error) {
    await stop();
    throw error;
  }
}
