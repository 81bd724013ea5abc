import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {type Browser, chromium} from 'playwright-core';
import {bundlePage} from './bundle';

/** What `npm test` found: a Chromium, or why there is none. */
export interface Found {
  executable?: string;
  /** A folder of libraries that it needs. */
  libraries?: string;
  missing?: string;
}

const {MEGABLOCKS_CHROMIUM = '{"missing": "npm test finds it"}'} = process.env;
export const found = JSON.parse(MEGABLOCKS_CHROMIUM) as Found;

/** WebGPU and WebGL in software, and nothing that asks the network. */
const ARGUMENTS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const TEST = join(__dirname, '..');
/** The folders in `test` that the page reads. */
const FOLDERS = ['cases', 'goldens'];

const HTML = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>Tests</title>
<script type="module" src="/page.js"></script>`;

/** Serves the page on this machine alone; WebGPU is there for secure contexts, as localhost is. */
async function servePage(script: Uint8Array): Promise<Server> {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(TEST, folder)).map((name) => `/test/${folder}/${name}`),
  );
  const contents: Record<string, () => [type: string, body: string | Uint8Array]> = {
    '/': () => ['text/html', HTML],
    '/page.js': () => ['text/javascript', script],
    '/files.json': () => ['application/json', JSON.stringify(files)],
  };
  for (const file of files) {
    contents[file] = () => ['application/octet-stream', readFileSync(join(TEST, '..', file))];
  }
  const server = createServer(({url}, response) => {
    const content = contents[url!];
    if (content == null) {
      response.writeHead(404).end();
      return;
    }
    const [type, body] = content();
    response.writeHead(200, {'content-type': type}).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
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
    server.closeAllConnections();
    server.close();
  };
  try {
    browser = await start(found);
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.stack ?? error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') {
        errors.push(message.text());
      }
    });
    const crash = new Promise<never>((_, reject) => {
      page.on('crash', () => reject(new Error('the page crashed')));
      browser!.on('disconnected', () => reject(new Error('Chromium ended')));
    });
    crash.catch(() => undefined);
    await page.exposeFunction('reportTest', report);
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction('globalThis.runTestFiles != null');
    const done = Promise.race([page.evaluate('runTestFiles()'), crash]);
    return {version: browser.version(), done, errors, stop};
  } catch (error) {
    await stop();
    throw error;
  }
}

function start({executable, libraries}: Found): Promise<Browser> {
  const paths = [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return chromium.launch({
    executablePath: executable,
    args: ARGUMENTS,
    env: {...process.env, LD_LIBRARY_PATH: paths},
  });
}
