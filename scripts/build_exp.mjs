// Bundles every experiment, exp/<name>.ts, to dist/exp/<name>.cjs with its source map. Packages stay
// external, so that each is loaded once, and only when it is used.
import {build} from 'esbuild';
import {readdirSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bundles the experiments into a folder of this project, from where they find the packages. */
export async function buildExperiments(outdir = join(root, 'dist/exp')) {
  rmSync(outdir, {recursive: true, force: true});
  await build({
    entryPoints: readdirSync(join(root, 'exp'))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(root, 'exp', name)),
    outdir,
    outExtension: {'.js': '.cjs'},
    bundle: true,
    format: 'cjs',
    platform: 'node',
    packages: 'external',
    sourcemap: true,
    target: 'node20',
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildExperiments(process.argv[2]);
}
