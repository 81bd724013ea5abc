import {spawnSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {join} from 'node:path';

const root = join(__dirname, '..');

/** The programs of exp/, as they are bundled for the tests that call this, in a folder of its own. */
export function bundlePrograms(name: string) {
  const bundles = join(root, `dist/test_exp_${process.pid}_${name}`);
  const build = [join(root, 'scripts/build_exp.mjs'), bundles];
  beforeAll(() => void spawnSync(process.execPath, build, {stdio: 'inherit'}));
  afterAll(() => rmSync(bundles, {recursive: true, force: true}));

  return {
    bundles,
    /** Arguments of node that bundle them again. */
    build,
    /**
     * Arguments of node that run one of them.
     *
     * @param before Code that runs in the program first.
     */
    command(program: string, args: string, before = ''): string[] {
      const main = `require(${JSON.stringify(join(bundles, `${program}.cjs`))}).main`;
      return ['-e', `${before}; ${main}(process.argv.slice(1))`, '--', ...args.trim().split(' ')];
    },
  };
}
