import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import type {Browser, BrowserContext, Page} from 'playwright-core';
import {launchChromium} from './launch';
import {collectErrors} from './page_errors';
import {serveFolder} from './serve_folder';
import type {Serving} from './serve';

/** Milliseconds that the page may take for an answer; a GPU in software holds the whole browser up. */
const PATIENCE = 30_000;
export const PATIENCE_ON_GPU = 240_000;

const root = join(__dirname, '../..');

/** The page of web/, built and served from a folder of a site, in a browser. */
export class WebPage {
  private constructor(
    private readonly folder: string,
    private readonly server: Serving,
    private readonly browser: Browser,
  ) {}

  static async build(): Promise<WebPage> {
    const folder = mkdtempSync(join(tmpdir(), 'web-page-'));
    WebPage.buildInto(folder);
    return new WebPage(folder, await serveFolder(folder, '/some/folder/'), await launchChromium());
  }

  static buildInto(folder: string) {
    execFileSync(process.execPath, [join(root, 'scripts/web.mjs'), '--build', folder], {
      cwd: dirname(root),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  get url(): string {
    return this.server.url;
  }

  /** Opens the page as a new visitor with a storage of its own. */
  async visit(options: VisitOptions = {}): Promise<Visit> {
    const {patience = PATIENCE, ...ofContext} = options;
    return this.open(await this.browser.newContext(ofContext), patience);
  }

  /** Opens the page in another tab of the same visitor. */
  anotherTab({context}: Visit): Promise<Visit> {
    return this.open(context, PATIENCE);
  }

  private async open(context: BrowserContext, patience: number): Promise<Visit> {
    const page = await context.newPage();
    const visit = new Visit(context, page, patience);
    await page.goto(this.url);
    await visit.ready();
    return visit;
  }

  /** As a network that is gone. */
  stopServing() {
    this.server.close();
  }

  async close() {
    await this.browser.close();
    this.server.close();
    rmSync(this.folder, {recursive: true, force: true});
  }
}

export interface VisitOptions {
  /** Milliseconds that the page may take for an answer. Default 30 seconds. */
  patience?: number;
  colorScheme?: 'light' | 'dark';
  viewport?: {width: number; height: number};
  serviceWorkers?: 'allow' | 'block';
}

/** What a visitor chooses, by the names on the page. */
export interface Choices {
  model?: string;
  size?: string;
  experts?: string;
  steps: number;
  backend: string;
}

const POLL_MS = 50;

/** One visitor's browser on the page. */
export class Visit {
  readonly errors: string[];
  /** The addresses of all that was asked for. */
  readonly requests: string[] = [];

  constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly patience: number,
  ) {
    page.setDefaultTimeout(patience);
    this.errors = collectErrors(page);
    context.on('request', (request) => this.requests.push(request.url()));
  }

  /** Waits until the page can train. */
  ready() {
    const {page} = this;
    return page.getByRole('button', {name: 'Train'}).and(page.locator(':enabled')).waitFor();
  }

  /** Comes again, after `before` has run in the new page. */
  async reload(before: string) {
    await this.page.addInitScript(before);
    await this.page.reload();
  }

  /** Runs a script in the worker that computes. */
  inWorker(script: string) {
    return this.page.workers()[0].evaluate(script);
  }

  /** Runs a script in the worker that ends it. */
  async endWorker(script: string) {
    const [worker] = this.page.workers();
    const ended = new Promise((resolve) => worker.once('close', resolve));
    await worker.evaluate(script);
    await ended;
  }

  notice(text: string | RegExp) {
    return this.page.locator('.notice').filter({hasText: text});
  }

  async choose({model = 'dMoE', size = 'Tiny', experts = '4', steps, backend}: Choices) {
    const {page} = this;
    await page.getByRole('radio', {name: model, exact: true}).check();
    await page.getByRole('radio', {name: size, exact: true}).check();
    if (model !== 'Dense') {
      await this.select('Experts', experts);
    }
    await this.steps.fill(String(steps));
    await this.select('Computed on', backend);
  }

  get steps() {
    return this.page.getByRole('spinbutton', {name: 'Steps', exact: true});
  }

  select(field: string, value: string) {
    return this.page.getByRole('combobox', {name: field, exact: true}).selectOption(value);
  }

  press(button: string) {
    return this.page.getByRole('button', {name: button, exact: true}).click();
  }

  /** Begins a run, and waits until it is the one that is shown. */
  async train() {
    const title = this.page.locator('#run-title');
    const before = (await title.count()) > 0 ? /Run \d+/.exec(await title.innerText())![0] : 'none';
    await this.press('Train');
    await title.filter({hasNotText: before}).waitFor();
  }

  /** Begins a run, and pauses it when it has made so many steps. */
  async trainUntil(step: number) {
    await this.press('Train');
    await this.waitForStep(step);
    await this.press('Pause');
    await this.waitForState('Paused');
  }

  /** Deletes a run, and confirms it. */
  async deleteRun(name: string) {
    this.page.once('dialog', (dialog) => void dialog.accept());
    await this.press(`Delete ${name}`);
  }

  /** Runs a script that changes a `store` of what the page keeps. */
  changeStored(name: 'runs' | 'files', script: string) {
    return this.page.evaluate(`new Promise((resolve) => {
      const opening = indexedDB.open('tfjs-megablocks', 1);
      opening.onsuccess = () => {
        const transaction = opening.result.transaction('${name}', 'readwrite');
        const store = transaction.objectStore('${name}');
        ${script}
        transaction.oncomplete = resolve;
      };
    })`);
  }

  /** Waits until the selected run is so, and fails where it stops with a problem instead. */
  async waitForState(state: string) {
    const {page} = this;
    for (;;) {
      const found = await page.locator('.run .state').innerText();
      if (found === state) {
        return;
      }
      if (found === 'Stopped') {
        throw new Error(`the run stopped: ${await page.locator('.run .problem').innerText()}`);
      }
      await page.waitForTimeout(POLL_MS);
    }
  }

  /** The step of the selected run. */
  async step(): Promise<number> {
    const text = await this.page.locator('.figures b').first().innerText();
    return Number(text.replaceAll(',', ''));
  }

  /** Watches the step of the selected run from now on; tells the lowest that was shown. */
  async watchSteps(): Promise<() => Promise<number>> {
    const lowest = await this.page.locator('.figures').evaluateHandle((figures) => {
      const seen = {step: Infinity};
      const look = () => {
        const shown = Number(figures.querySelector('b')!.textContent!.replaceAll(',', ''));
        seen.step = Math.min(seen.step, shown);
      };
      const changes = {subtree: true, childList: true, characterData: true};
      new MutationObserver(look).observe(figures, changes);
      return seen;
    });
    return () => lowest.evaluate(({step}) => step);
  }

  async waitForStep(step: number) {
    const deadline = Date.now() + this.patience;
    while ((await this.step()) < step) {
      if (Date.now() > deadline) {
        throw new Error(`the run is at step ${await this.step()}, not ${step}`);
      }
      await this.page.waitForTimeout(50);
    }
  }

  /** Lets the selected run write a few words. */
  async write(prompt: string): Promise<string> {
    const {page} = this;
    await page.getByLabel('Prompt').fill(prompt);
    await this.select('Tokens', '50');
    await this.press('Write');
    const written = page.locator('.written[aria-busy=false]');
    await written.waitFor();
    return (await written.innerText()).slice(prompt.length);
  }
}
