import {found} from './browser/launch';
import {type Visit, WebPage} from './browser/web_page';

// The page as a person uses it, in Chromium.

const describeInChromium = found.missing == null ? describe : describe.skip;

/** What the page computes on here, and how many steps that can take. */
const BACKENDS: {name: string; steps: number; pauseAt: number}[] = [
  {name: 'wasm', steps: 200, pauseAt: 20},
  {name: 'webgl', steps: 6, pauseAt: 1},
  {name: 'webgpu', steps: 6, pauseAt: 1},
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
      visit = await site.visit();
      const {page} = visit;
      await visit.choose({steps, backend: name});
      await visit.press('Train');
      await visit.waitForStep(pauseAt);
      await visit.press('Pause');
      await visit.waitForState('Paused');
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
    600_000,
  );
});
