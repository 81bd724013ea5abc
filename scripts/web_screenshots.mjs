// Takes the pictures of the README from the real page: builds it, trains three models in it, and looks.
import {mkdirSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';
import {preview} from 'vite';
import {buildWeb, config} from './build_web.mjs';
import {chromium as findChromium} from './chromium.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../web/screenshots');

/** The runs that the pictures show, by the names of the form. */
const MODELS = ['Dense', 'Capacity MoE', 'dMoE'];
const STEPS = 400;
const MINUTES = 600_000;

const PICTURES = [
  {name: 'light', colorScheme: 'light', viewport: {width: 1280, height: 900}, whole: true},
  {name: 'dark', colorScheme: 'dark', viewport: {width: 1280, height: 900}},
  {name: 'phone', colorScheme: 'light', viewport: {width: 390, height: 844}},
];

/** Trains a model on Moby Dick to the end. */
async function train(page, model) {
  await page.getByRole('radio', {name: model, exact: true}).check();
  await page.getByRole('spinbutton', {name: 'Steps', exact: true}).fill(String(STEPS));
  await page.getByRole('combobox', {name: 'Computed on'}).selectOption('wasm');
  await page.getByRole('button', {name: 'Train', exact: true}).click();
  await page.locator('.run .hint').filter({hasText: model}).waitFor();
  await page.locator('.run .state', {hasText: 'Finished'}).waitFor({timeout: MINUTES});
}

async function takePictures(page) {
  for (const {name, colorScheme, viewport, whole = false} of PICTURES) {
    await page.emulateMedia({colorScheme});
    await page.setViewportSize(viewport);
    // On a phone the form comes first.
    const first = name === 'phone' ? page.locator('.run') : page.locator('.masthead');
    await first.scrollIntoViewIfNeeded();
    if (name === 'phone') {
      await first.evaluate((element) => element.scrollIntoView());
    }
    await page.waitForTimeout(500); // Charts draw in the next frames.
    await page.screenshot({path: join(folder, `${name}.png`), fullPage: whole});
  }
}

await import('./build_wasm.mjs');
await buildWeb();
const server = await preview({...config, preview: {host: 'localhost', port: 0}});
const {executable, libraries, missing} = await findChromium();
if (missing != null) {
  throw new Error(missing);
}
const paths = [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
const browser = await chromium.launch({
  executablePath: executable,
  args: ['--no-sandbox'],
  env: {...process.env, LD_LIBRARY_PATH: paths},
});
try {
  mkdirSync(folder, {recursive: true});
  const page = await browser.newPage({viewport: PICTURES[0].viewport});
  await page.goto(server.resolvedUrls.local[0]);
  await page.getByRole('radio', {name: 'Small', exact: true}).check();
  for (const model of MODELS) {
    await train(page, model);
  }
  await page.getByRole('button', {name: 'Write', exact: true}).click();
  await page.locator('.written[aria-busy=false]').waitFor({timeout: MINUTES});
  await page.locator('.token').first().waitFor();
  await takePictures(page);
} finally {
  await browser.close();
  await server.close();
}
