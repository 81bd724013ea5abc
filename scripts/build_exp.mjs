// Bundles every experiment, exp/<name>.ts, to dist/exp/<name>.cjs with its source map. Packages stay
// external, so that each is loaded once, and only when it is used.
import {build} from 'esbuild';
import {mkdirSync, readdirSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Bundles the experiments into a folder of this project, from where they find the packages. Another command
 * may be starting from there: each bundle is the old one or the new one at any time.
 */
export async function buildExperiments(outdir = join(root, 'dist/exp')) {
  const {outputFiles} = await build({
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
    write: false,
  });
  mkdirSync(outdir, {recursive: true});
  for (const {path, contents} of outputFiles) {
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, contents);
    renameSync(temporary, path);
  }
  const paths = outputFiles.map(({path}) => path);
  readdirSync(outdir)
    .map((name) => resolve(outdir, name))
    .filter((path) => /\.cjs(\.map)?$/.test(path) && !paths.includes(path))
    .forEach((path) => rmSync(path, {force: true}));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildExperiments(process.argv[2]);
}
