import {runInChromium, type Running} from './browser/chromium';
import {declareWithBody} from './browser/declare';
import {found} from './browser/launch';
import {PAGE_TESTS} from './browser/settings';
import {chooseBackends} from './settings';

// The cases, the goldens and `fit` in a page of a browser. The page runs the test files; here they are
// declared once more, for each of their tests to have its result.

/** How tests of the page ended, by full title: an error, or undefined. Each is taken by its test here. */
const results = new Map<string, string | undefined>();
/** Those that wait for the result of a test. */
const waiting = new Map<string, () => void>();
let running: Running | undefined;

/** Fails as the test of the same title failed in the page. */
async function asInPage() {
  // The runner of the page leaves empty titles out, of which Jest keeps the space between.
  const fullTitle = expect.getState().currentTestName!.trim();
  if (!results.has(fullTitle)) {
    const reported = new Promise<void>((resolve) => waiting.set(fullTitle, resolve));
    await Promise.race([reported, running!.done]);
  }
  if (!results.has(fullTitle)) {
    throw new Error('the page did not run this test');
  }
  const error = results.get(fullTitle);
  results.delete(fullTitle);
  if (error != null) {
    throw new Error(error);
  }
}

if (found.missing == null) {
  beforeAll(async () => {
    running = await runInChromium((fullTitle, error) => {
      results.set(fullTitle, error);
      waiting.get(fullTitle)?.();
    });
    running.done.catch(() => undefined);
  });
  afterAll(() => running?.stop());
}

Object.assign(process.env, {
  MEGABLOCKS_WEBGPU: found.missing ?? 'found',
  MEGABLOCKS_WEBGL: found.missing ?? 'found',
});
declareWithBody(() => {
  for (const {file, backends} of PAGE_TESTS) {
    chooseBackends(backends);
    jest.requireActual(`./browser/${file}`);
  }
}, asInPage);

const testInPage = found.missing == null ? test : test.skip;

// The last of all: a hook that failed has no test here to fail.
testInPage('the page reports no other error', async () => {
  await running!.done;
  const ofHooks = [...results].filter(([, error]) => error != null);
  expect([...running!.errors, ...ofHooks]).toEqual([]);
});
