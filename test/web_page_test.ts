import axe from 'axe-core';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {decodeSafetensors} from '../training/safetensors';
import {found} from './browser/launch';
import {PATIENCE_ON_GPU, type Visit, type VisitOptions, WebPage} from './browser/web_page';

// The page as a person uses it, in Chromium.

const describeInChromium = found.missing == null ? describe : describe.skip;

/** For what a GPU in software computes. */
const MINUTES = 600_000;

/** As much as a model of the smallest size needs. */
const LONG_TEXT = Array.from({length: 1000}, (_, i) => `Sentence ${i * i} of the text. `).join('');

/** What the page computes on here, and how many steps that can take. */
const BACKENDS: {name: string; steps: number; pauseAt: number}[] = [
  {name: 'wasm', steps: 200, pauseAt: 20},
  {name: 'webgl', steps: 4, pauseAt: 1},
  {name: 'webgpu', steps: 4, pauseAt: 1},
];

describeInChromium(`the page${found.missing == null ? '' : ` (${found.missing})`}`, () => {
  let site: WebPage;
  let visit: Visit;
  beforeAll(async () => {
    site = await WebPage.build();
  });
  afterAll(() => site?.close());
  afterEach(() => visit?.context.close());

  test.each(BACKENDS)(
    'trains, pauses, reloads, resumes and writes on $name',
    async ({name, steps, pauseAt}) => {
      visit = await site.visit({patience: PATIENCE_ON_GPU});
      const {page} = visit;
      await visit.choose({steps, backend: name});
      await visit.trainUntil(pauseAt);
      const paused = await visit.step();
      expect(paused).toBeLessThan(steps);
      expect(await visit.write('The whale')).not.toBe('');

      await page.reload();
      await visit.waitForState('Paused');
      expect(await visit.step()).toBe(paused);
      await visit.press('Resume');
      await visit.waitForState('Finished');
      expect(await visit.step()).toBe(steps);
      expect(visit.errors).toEqual([]);
    },
    MINUTES,
  );

  const quick = {backend: 'wasm', steps: 30};

  /** Trains a small model to its end, as a new visitor. */
  async function train(options: VisitOptions = {}) {
    visit = await site.visit(options);
    await visit.choose(quick);
    await visit.train();
    await visit.waitForState('Finished');
    return visit;
  }

  test('draws several runs over one another, and keeps them', async () => {
    const {page} = await train();
    await visit.choose({...quick, model: 'Dense'});
    await visit.train();
    await visit.waitForState('Finished');
    const rows = page.locator('.runs tbody tr');
    expect(await rows.count()).toBe(2);
    const chart = page.getByRole('img', {name: /^Loss by run: Run 1 \d.*, Run 2 \d/});
    await chart.waitFor();
    // A dense model has no experts to show.
    expect(await page.getByRole('heading', {name: 'Load of the experts'}).count()).toBe(0);

    await page.reload();
    await chart.waitFor();
    await page.getByLabel('Draw Run 2').uncheck();
    await page.getByRole('img', {name: /^Loss by run: Run 1 \d[^,]*$/}).waitFor();
    await page.getByLabel('Draw Run 1').uncheck();
    await page.getByText('No run is drawn.').waitFor();
    await visit.deleteRun('Run 2');
    const table = page.getByRole('region', {name: 'Table of the runs'});
    expect(await table.evaluate((element) => element === document.activeElement)).toBe(true);
    await visit.press('Run 1');
    await page.getByRole('heading', {name: 'Load of the experts'}).waitFor();
    expect(await rows.count()).toBe(1);
    expect(visit.errors).toEqual([]);
  });

  test('shows which expert reads which token, layer by layer', async () => {
    const {page} = await train();
    await page.getByText('Another text').click();
    await page.getByLabel('Text to look at').fill('Call me Ishmael.');
    await page.locator('.token').first().filter({hasText: /^C/}).waitFor();
    const tokens = await page.locator('.token').evaluateAll((elements) =>
      elements.map((element) => ({
        text: element.firstChild!.textContent,
        expert: Number(element.lastChild!.textContent),
        title: (element as HTMLElement).title,
      })),
    );
    expect(tokens.map((token) => token.text).join('')).toBe('CallmeIshmael.');
    for (const {expert, title} of tokens) {
      expect([1, 2, 3, 4]).toContain(expert);
      expect(title).toMatch(new RegExp(`^Expert ${expert}, then [1-4]$`));
    }
    await page.getByRole('radio', {name: 'Layer 2'}).check();
    await page.locator('.tokens[data-layer="2"]').waitFor();
    expect(await page.getByRole('img', {name: /^Load of 4 experts in layer/}).count()).toBe(2);
    await page.getByLabel('Text to look at').fill(' ');
    await page.getByText('There is no text to look at.').waitFor();
    expect(await page.locator('.token').count()).toBe(0);
  });

  test('hands out the weights', async () => {
    const {page} = await train();
    const downloading = page.waitForEvent('download');
    await visit.press('Download weights');
    const file = await (await downloading).path();
    const {tensors, metadata} = decodeSafetensors(readFileSync(file), 'weights');
    expect(JSON.parse(metadata.config)).toMatchObject({feedForward: 'dMoE', hiddenSize: 32});
    expect(tensors.get('blocks.0.dMoE/experts.mlp.w1')?.shape).toEqual([4 * 64, 32]);
    expect([...tensors.values()].every(({values}) => values.every(Number.isFinite))).toBe(true);
    expect([...tensors.keys()].filter((name) => name.startsWith('optimizer/'))).toEqual([]);
  });

  test('works without a network after its first visit', async () => {
    visit = await site.visit();
    const {page, context} = visit;
    await page.evaluate('navigator.serviceWorker.ready.then(() => true)');
    await context.setOffline(true);
    await page.reload();
    await visit.choose(quick);
    await visit.train();
    await visit.waitForState('Finished');
    expect(visit.errors).toEqual([]);
  });

  test('says what it computes on, and why', async () => {
    visit = await site.visit();
    const {page} = visit;
    const reason = page.getByRole('status').filter({hasText: 'WebAssembly'});
    // The GPU of the tests is software, and so not what is fastest.
    expect(await reason.innerText()).toBe(
      'WebAssembly, which is in every browser. ' +
        'WebGPU: google swiftshader is software, which is slower. ' +
        'WebGL: SwiftShader Device is software, which is slower.',
    );
    await visit.select('Computed on', 'webgl');
    await page
      .getByRole('status')
      .filter({hasText: /^Chosen by you on .*SwiftShader/})
      .waitFor();
  });

  test('says why a text cannot be trained on', async () => {
    visit = await site.visit();
    const {page} = visit;
    const train = page.getByRole('button', {name: 'Train', exact: true});
    const problem = page.locator('.setup p.problem');
    const cannotTrain = async (why: RegExp) => {
      await problem.filter({hasText: why}).waitFor();
      expect(await train.isDisabled()).toBe(true);
    };
    await page.getByRole('radio', {name: 'Paste'}).check();
    expect(await train.isDisabled()).toBe(true);
    const field = page.getByLabel('Text to train on');
    await field.fill(' ');
    await cannotTrain(/^The text is empty\.$/);
    await field.fill('too short');
    await cannotTrain(/at least 10,000 characters; this has 9\.$/);
    await page.getByRole('radio', {name: 'File'}).check();
    const file = page.getByLabel('File of text to train on');
    const choose = (...bytes: number[]) =>
      file.setInputFiles({name: 'a.bin', mimeType: 'text/plain', buffer: Buffer.from(bytes)});
    await choose(0x61, 0xff, 0xfe);
    await cannotTrain(/^The file is not UTF-8 text\.$/);
    await choose(0x61, 0x00);
    await cannotTrain(/zero bytes/);
    await choose();
    await cannotTrain(/^The text is empty\.$/);
    await page.getByRole('radio', {name: 'Moby Dick'}).check();
    expect(await train.isDisabled()).toBe(false);
    await visit.steps.fill('0.5');
    await page.getByText('Steps must be a whole number from 1').first().waitFor();
    expect(await train.isDisabled()).toBe(true);
  });

  test('is built beside what else is in a folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'web-page-beside-'));
    try {
      writeFileSync(join(folder, 'other.txt'), 'kept');
      WebPage.buildInto(folder);
      expect(readdirSync(folder)).toEqual(expect.arrayContaining(['index.html', 'other.txt']));
    } finally {
      rmSync(folder, {recursive: true, force: true});
    }
  });

  test('sends nothing of a text anywhere, and takes none for HTML', async () => {
    visit = await site.visit();
    const {page} = visit;
    const attack = '<img src="https://example.com/stolen" onerror="document.title = 1">';
    const lines = Array.from({length: 600}, (_, i) => `${attack} line ${i * i} of the text.`);
    await page.getByRole('radio', {name: 'File'}).check();
    await page.getByLabel('File of text to train on').setInputFiles({
      name: `${attack}.txt`,
      mimeType: 'text/plain',
      buffer: Buffer.from(lines.join('\n')),
    });
    await page.getByText('characters.').waitFor();
    await visit.choose(quick);
    await visit.train();
    await visit.waitForState('Finished');
    await page.getByText('Another text').click();
    await page.getByLabel('Text to look at').fill(attack);
    await page.locator('.tokens').filter({hasText: 'stolen'}).waitFor();
    await visit.write(attack);

    expect(await page.title()).toBe('MegaBlocks for TensorFlow.js');
    expect(await page.locator('main img').count()).toBe(0);
    const elsewhere = visit.requests.filter((url) => !/^(blob|data):/.test(url));
    expect(elsewhere.filter((url) => !url.startsWith(site.url))).toEqual([]);
    expect(elsewhere.filter((url) => url.includes('stolen'))).toEqual([]);
    expect(visit.errors).toEqual([]);
  });

  test('goes on where the storage is full, and keeps what is there', async () => {
    visit = await site.visit();
    const {page} = visit;
    await visit.choose({...quick, steps: 300});
    await visit.press('Train');
    await visit.waitForStep(60);
    // As a storage answers that has no more room for a checkpoint, which cannot be had here.
    await visit.inWorker(
      `{
         const {put} = IDBObjectStore.prototype;
         IDBObjectStore.prototype.put = function(value, key) {
           if (value.byteLength > 1e5) {
             throw new DOMException('The storage is full', 'QuotaExceededError');
           }
           return put.call(this, value, key);
         };
       }`,
    );
    const notice = page.locator('.notice').first();
    await notice.filter({hasText: "The browser's storage is full."}).waitFor();
    expect(await notice.innerText()).toContain('What was saved before is kept.');
    await visit.waitForState('Finished');

    await page.reload();
    await visit.waitForState('Paused');
    const kept = await visit.step();
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(300);
    expect(await visit.write('The whale')).not.toBe('');
    await visit.press('Resume');
    await visit.waitForState('Finished');
    await page.reload();
    await visit.waitForState('Finished');
    expect(await visit.step()).toBe(300);
  });

  test('begins one run, however often it is asked to at once', async () => {
    visit = await site.visit();
    const {page} = visit;
    await visit.choose(quick);
    await page.locator('form.card').evaluate((form) => {
      (form as HTMLFormElement).requestSubmit();
      (form as HTMLFormElement).requestSubmit();
    });
    await visit.waitForState('Finished');
    await page.reload();
    await visit.waitForState('Finished');
    expect(await page.locator('.runs tbody tr').count()).toBe(1);
  });

  test('adds a run to those that the storage is slow to tell of', async () => {
    const {page} = await train();
    // Another transaction holds the storage up.
    await visit.reload(`
      const opening = indexedDB.open('tfjs-megablocks', 1);
      opening.onsuccess = () => {
        const runs = opening.result.transaction('runs', 'readwrite').objectStore('runs');
        const hold = () => {
          if (!window.released) {
            runs.count().onsuccess = hold;
          }
        };
        hold();
      };
    `);
    await visit.press('Train');
    await page.evaluate('window.released = true');
    await page.locator('#run-title').filter({hasText: 'Run 2'}).waitFor();
    await visit.waitForState('Finished');
    expect(await page.locator('.runs tbody tr').count()).toBe(2);
    expect(visit.errors).toEqual([]);
  });

  test('leaves a run alone that another tab trains', async () => {
    visit = await site.visit();
    // More than it makes in the time of this test.
    await visit.choose({...quick, steps: 100_000});
    await visit.press('Train');
    await visit.waitForStep(100);
    const other = await site.anotherTab(visit);
    await other.waitForState('Paused');
    await other.press('Resume');
    await other.notice('Another tab trains this run.').waitFor();
    await other.waitForState('Paused');
    await other.press('Dismiss');
    await other.deleteRun('Run 1');
    await other.notice('Another tab trains this run.').waitFor();
    // It has a number of its own, of which this tab does not know.
    await other.choose(quick);
    await other.train();
    await other.waitForState('Finished');
    expect(await other.page.locator('#run-title').innerText()).toContain('Run 2');

    const before = await visit.step();
    await visit.press('Pause');
    await visit.waitForState('Paused');
    const paused = await visit.step();
    expect(paused).toBeGreaterThan(before);
    await other.press('Run 1');
    await other.press('Resume');
    await other.waitForState('Training');
    // It goes on, and is shown, from where the other has left it.
    await other.waitForStep(paused);
    await other.press('Pause');
    await other.waitForState('Paused');
    expect([...visit.errors, ...other.errors]).toEqual([]);
  });

  test('does not bring back a run that another tab has deleted', async () => {
    visit = await site.visit();
    const {page} = visit;
    await visit.choose({...quick, steps: 5000});
    await visit.trainUntil(1);
    const other = await site.anotherTab(visit);
    await other.deleteRun('Run 1');
    await other.page.getByText('Many small experts').waitFor();
    await visit.press('Resume');
    await visit.notice('Run 1 was deleted.').waitFor();
    await page.getByText('Many small experts').waitFor();
    await page.reload();
    await visit.ready();
    expect(await page.locator('.runs').count()).toBe(0);
  });

  test('pauses a run as soon as it can be asked to', async () => {
    visit = await site.visit();
    // The storage is slow to keep that the run trains.
    await visit.reload(`{
      const {put} = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = function(...args) {
        const hold = () => {
          if (!window.released) {
            this.count().onsuccess = hold;
          }
        };
        hold();
        setTimeout(() => (window.released = true), 1000);
        return put.apply(this, args);
      };
    }`);
    await visit.ready();
    await visit.choose({...quick, steps: 5000});
    await visit.press('Train');
    await visit.press('Pause');
    await visit.waitForState('Paused');
    expect(await visit.step()).toBeLessThan(5000);
    expect(visit.errors).toEqual([]);
  });

  test('shows the runs that it knows beside those of another version', async () => {
    const {page} = await train();
    await visit.changeStored(
      'runs',
      `store.getAll().onsuccess = ({target: {result: [run]}}) => {
         store.add({...run, id: 'a', number: 2, settings: {...run.settings, size: 'huge'}});
         store.add({...run, id: 'b', number: 3, settings: {...run.settings, model: 'sparse'}});
       };`,
    );
    await page.reload();
    await visit.waitForState('Finished');
    expect(await page.locator('.runs tbody tr').count()).toBe(1);
    await visit.train();
    expect(await page.locator('#run-title').innerText()).toContain('Run 4');
    await visit.waitForState('Finished');
    expect(visit.errors).toEqual([]);
  });

  test('says that its worker does not start, and looks for nothing', async () => {
    visit = await site.visit();
    const {page} = visit;
    await visit.reload(`Worker = class { constructor() { throw new Error('No worker here'); } }`);
    await visit.notice('No worker here').waitFor();
    expect(await page.getByText('Looking for a GPU').count()).toBe(0);
    // From there on, the keyboard goes on with what is below.
    await page.getByRole('button', {name: 'Dismiss'}).focus();
    await page.keyboard.press('Enter');
    await visit.notice('No worker here').waitFor({state: 'detached'});
    expect(await page.evaluate('document.activeElement.localName')).toBe('main');
  });

  test('keeps a text for the next run when the run that has it goes', async () => {
    visit = await site.visit();
    const {page} = visit;
    await page.getByRole('radio', {name: 'Paste'}).check();
    await page.getByLabel('Text to train on').fill(LONG_TEXT);
    await visit.choose(quick);
    await visit.train();
    await visit.waitForState('Finished');
    const other = await site.anotherTab(visit);
    await other.deleteRun('Run 1');
    await other.page.getByText('Many small experts').waitFor();
    await visit.press('Train');
    await page.locator('.runs tbody tr').nth(1).waitFor();
    await visit.waitForState('Finished');
  });

  test('reads a file for as long as no other text is chosen', async () => {
    visit = await site.visit();
    const {page} = visit;
    await visit.reload(`{
      const {arrayBuffer} = File.prototype;
      File.prototype.arrayBuffer = async function() {
        await new Promise((resolve) => (window.readOn = resolve));
        return arrayBuffer.call(this);
      };
    }`);
    await visit.ready();
    const train = page.getByRole('button', {name: 'Train', exact: true});
    const choose = async (text: string) => {
      await page
        .getByLabel('File of text to train on')
        .setInputFiles({name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from(text)});
      await page.waitForFunction('window.readOn != null');
    };
    const readOn = () => page.evaluate('void readOn(), (readOn = undefined)');
    await page.getByRole('radio', {name: 'File'}).check();
    await choose(LONG_TEXT);
    await readOn();
    const count = page.getByText('characters.');
    await count.waitFor();
    expect(await train.isEnabled()).toBe(true);
    // The first is no longer what is chosen.
    await choose(`${LONG_TEXT}!`);
    expect(await train.isEnabled()).toBe(false);
    await page.getByRole('radio', {name: 'Paste'}).check();
    await page.getByLabel('Text to train on').fill(`${LONG_TEXT}?!`);
    await readOn();
    await page.evaluate('new Promise((resolve) => setTimeout(resolve, 100))');
    expect(await count.innerText()).toBe(
      `${(LONG_TEXT.length + 2).toLocaleString('en')} characters.`,
    );
    await page.getByRole('radio', {name: 'File'}).check();
    await choose('short');
    await readOn();
    const problem = page.locator('.setup p.problem');
    await problem.waitFor();
    await page.getByLabel('File of text to train on').setInputFiles([]);
    await page.getByText('Choose a file first.').waitFor();
    expect(await problem.count()).toBe(0);
  });

  test('takes of the choices of an earlier visit those that still are choices', async () => {
    visit = await site.visit();
    const {page} = visit;
    const kept = {steps: 77, seed: 1};
    // Of another version of the page; and as a field is kept that was left empty.
    const gone = [{model: 'sparse', size: 'huge', experts: 5, topK: '2'}, {learningRate: null}];
    for (const settings of gone) {
      const earlier = JSON.stringify({settings: {...kept, ...settings}, backend: 'metal'});
      await visit.reload(
        `localStorage.setItem('tfjs-megablocks.settings', ${JSON.stringify(earlier)})`,
      );
      await visit.ready();
      expect(await visit.steps.inputValue()).toBe('77');
      expect(await page.getByLabel('Seed').inputValue()).toBe('1');
      expect(await page.getByLabel('Learning rate').inputValue()).toBe('0.005');
      expect(await page.getByRole('radio', {name: 'dMoE'}).isChecked()).toBe(true);
      expect(await page.getByRole('radio', {name: 'Small'}).isChecked()).toBe(true);
      const experts = page.getByRole('combobox', {name: 'Experts', exact: true});
      expect(await experts.inputValue()).toBe('8');
      expect(await page.getByLabel('Computed on').inputValue()).toBe('auto');
    }
    expect(visit.errors).toEqual([]);
  });

  test('takes the fastest backend where the one that was chosen is missing', async () => {
    visit = await site.visit({serviceWorkers: 'block'}); // Else it answers for the server.
    const chosen = visit.page.getByLabel('Computed on');
    await visit.select('Computed on', 'webgl');
    await visit.page.reload();
    await visit.ready();
    expect(await chosen.inputValue()).toBe('webgl');
    // As on a machine that has no such GPU any more.
    await visit.context.route(/worker-[^/]*\.js$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({
        response,
        body: `delete self.OffscreenCanvas; ${await response.text()}`,
      });
    });
    await visit.page.reload();
    await visit.ready();
    expect(await chosen.inputValue()).toBe('auto');
    await visit.page
      .getByRole('status')
      .filter({hasText: 'WebGL: this browser has no WebGL in workers'})
      .waitFor();
  });

  test('asks for a capacity where there is one, and tells it', async () => {
    visit = await site.visit();
    const {page} = visit;
    const train = page.getByRole('button', {name: 'Train', exact: true});
    const capacity = page.getByRole('spinbutton', {name: 'Capacity factor', exact: true});
    await visit.choose({...quick, model: 'Capacity MoE'});
    await capacity.fill('');
    await page.getByText('Capacity factor must be a number from 0.1 to 16.').first().waitFor();
    expect(await train.isDisabled()).toBe(true);
    await page.getByRole('radio', {name: 'dMoE'}).check();
    expect(await train.isDisabled()).toBe(false);
    await page.getByRole('radio', {name: 'Capacity MoE'}).check();
    expect(await train.isDisabled()).toBe(true);
    await capacity.fill('1.23');
    await visit.train();
    await visit.waitForState('Finished');
    expect(await page.locator('.run .hint').innerText()).toContain('top-2, capacity 1.23');
  });

  test('opens the storage again where that has failed', async () => {
    await train();
    await visit.reload(`{
      const {open} = IDBFactory.prototype;
      IDBFactory.prototype.open = () => {
        IDBFactory.prototype.open = open;
        throw new DOMException('It is locked', 'UnknownError');
      };
    }`);
    await visit.notice("The browser's storage refused: It is locked.").waitFor();
    await visit.press('Train');
    await visit.page.locator('#run-title').filter({hasText: 'Run 2'}).waitFor();
    await visit.waitForState('Finished');
    expect(await visit.page.locator('.runs tbody tr').count()).toBe(2);
  });

  test('starts another worker where one ends', async () => {
    await train();
    await visit.endWorker(`setTimeout(() => { throw new Error('It broke'); })`);
    expect(await visit.write('The whale')).not.toBe('');
    expect(await visit.page.locator('.notice').allInnerTexts()).toEqual([]);
  });

  test('takes no model for a run whose checkpoints are damaged', async () => {
    visit = await site.visit();
    const {page} = visit;
    await visit.choose({...quick, steps: 5000});
    await visit.trainUntil(50);
    await visit.changeStored(
      'files',
      `store.openCursor().onsuccess = ({target: {result: cursor}}) => {
         if (cursor?.key[1].startsWith('checkpoint')) {
           cursor.update(cursor.value.fill(7));
         }
         cursor?.continue();
       };`,
    );
    await page.reload();
    await visit.waitForState('Paused');
    const written = page.locator('.written[aria-busy=false]');
    for (const attempt of [1, 2]) {
      await visit.press('Write');
      await visit.notice(/no other checkpoint is there/).waitFor();
      await written.waitFor();
      expect([attempt, await written.innerText()]).toEqual([attempt, 'The whale']);
      await visit.press('Dismiss');
    }
    // Nor does it wait for ever when the run ends that it waits for.
    await visit.press('Resume');
    await visit.press('Write');
    await page.locator('.run .problem').filter({hasText: 'no other checkpoint'}).waitFor();
    await written.waitFor();
  });

  test('shows a text from right to left where it reads so', async () => {
    const {page} = await train();
    const directionOf = (selector: string) =>
      page.locator(selector).evaluate((element) => getComputedStyle(element).direction);
    const hebrew = 'בראשית ברא אלהים את השמים ואת הארץ';
    await page.getByText('Another text').click();
    await page.getByLabel('Text to look at').fill(hebrew);
    await page.locator('.tokens').filter({hasText: 'ב'}).waitFor();
    await visit.write(hebrew);
    await page.getByRole('radio', {name: 'Paste'}).check();
    await page.getByLabel('Text to train on').fill(hebrew);
    for (const field of ['.tokens', '.written', '.writing input[type=text]', '.setup textarea']) {
      expect([field, await directionOf(field)]).toEqual([field, 'rtl']);
    }
  });

  // As the driver of a GPU does it at any time, and as a device that is too small for a model answers; the
  // worker that a run goes on in has a backend of its own.
  test.each([
    {
      what: 'a lost context',
      backend: 'webgl',
      happen: "_tfengine.backend.gpgpu.gl.getExtension('WEBGL_lose_context').loseContext()",
      problem: /WebGL context is lost/,
    },
    {
      what: 'a tensor beyond the limit of textures',
      backend: 'webgl',
      happen: "_tfengine.ENV.set('WEBGL_MAX_TEXTURE_SIZE', 8)",
      problem: /a texture of this WebGL device holds at most 8 x 8; use a smaller batch or model/,
    },
    {
      what: 'a lost device',
      backend: 'webgpu',
      happen: '_tfengine.backend.device.destroy()',
      problem: /WebGPU device is lost/,
    },
  ])(
    '$what of $backend stops a run, which goes on from its last checkpoint',
    async ({backend, happen, problem}) => {
      visit = await site.visit({patience: PATIENCE_ON_GPU});
      const {page} = visit;
      await visit.choose({model: 'Dense', backend, steps: 4});
      await visit.press('Train');
      await visit.waitForStep(2);
      await visit.inWorker(happen);
      await visit.waitForState('Stopped');
      expect(await page.locator('.run .problem').innerText()).toMatch(problem);
      const firstStep = await visit.watchSteps();
      await visit.press('Resume');
      await visit.waitForState('Finished');
      expect(await visit.step()).toBe(4);
      expect(await firstStep()).toBeGreaterThan(0);
    },
    MINUTES,
  );

  test.each([
    {
      what: 'a lost context',
      backend: 'webgl',
      happen: "_tfengine.backend.gpgpu.gl.getExtension('WEBGL_lose_context').loseContext()",
    },
    {what: 'a lost device', backend: 'webgpu', happen: '_tfengine.backend.device.destroy()'},
  ])(
    '$what of $backend, while nothing is computed, is replaced',
    async ({backend, happen}) => {
      visit = await site.visit({patience: PATIENCE_ON_GPU});
      await visit.choose({model: 'Dense', backend, steps: 1});
      await visit.train();
      await visit.waitForState('Finished');
      await visit.endWorker(happen);
      expect(await visit.write('The whale')).not.toBe('');
      expect(await visit.page.locator('.notice').allInnerTexts()).toEqual([]);
    },
    MINUTES,
  );

  test.each([
    ['light', 'on a desktop', {width: 1280, height: 900}],
    ['dark', 'on a phone', {width: 390, height: 844}],
  ] as const)('is accessible, %s, %s', async (colorScheme, _, viewport) => {
    const {page} = await train({colorScheme, viewport});
    await page.locator('.token').first().waitFor();
    await visit.write('The whale');
    await page.evaluate(axe.source);
    const {violations} = (await page.evaluate('axe.run()')) as axe.AxeResults;
    expect(violations.map(({id, nodes}) => [id, nodes.map(({html}) => html)])).toEqual([]);
    // Nothing is wider than the window.
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  });

  test('has room for the name of a file, however long', async () => {
    visit = await site.visit({viewport: {width: 390, height: 844}});
    const {page} = visit;
    await page.getByRole('radio', {name: 'File'}).check();
    await page.getByLabel('File of text to train on').setInputFiles({
      name: `${'long_'.repeat(40)}.txt`,
      mimeType: 'text/plain',
      buffer: Buffer.from(LONG_TEXT),
    });
    await visit.choose(quick);
    await visit.train();
    await visit.waitForState('Finished');
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
  });

  test('needs no pointer', async () => {
    visit = await site.visit();
    const {keyboard} = visit.page;
    await visit.choose({...quick, steps: 5000});
    await visit.steps.focus();
    await keyboard.press('Enter');
    await visit.waitForStep(1);
    await visit.page.getByRole('button', {name: 'Pause'}).focus();
    await keyboard.press('Space');
    await visit.waitForState('Paused');
    await visit.page.getByRole('radio', {name: 'Steps'}).focus();
    await keyboard.press('ArrowRight');
    expect(await visit.page.getByRole('radio', {name: 'Time'}).isChecked()).toBe(true);
  });
});
