// Builds what is published: one bundle each for ESM and CommonJS, with source maps that hold their
// sources, and the type declarations. Everything of TensorFlow.js stays external.
import {build} from 'esbuild';
import {copyFileSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {rollup} from 'rollup';
import {dts} from 'rollup-plugin-dts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const entry = join(root, 'src/index.ts');

const bundleOptions = {
  entryPoints: [entry],
  bundle: true,
  external: ['@tensorflow/*'],
  sourcemap: true,
  target: 'es2022',
};

/** The neutral platform makes an import that browsers lack an error. */
async function buildEsm() {
  const outfile = join(dist, 'esm/index.js');
  await build({...bundleOptions, format: 'esm', platform: 'neutral', outfile});
}

/** The node platform adds what lets ESM import a CommonJS module's exports by name. */
async function buildCommonJs() {
  const outfile = join(dist, 'cjs/index.cjs');
  await build({...bundleOptions, format: 'cjs', platform: 'node', outfile});
}

/** Bundled, since the extensionless imports of the sources mean nothing to a `nodenext` project. */
async function buildTypes() {
  const bundle = await rollup({input: entry, external: /^@tensorflow\//, plugins: [dts()]});
  await bundle.write({file: join(dist, 'types/index.d.ts'), format: 'es'});
  await bundle.close();
  copyFileSync(join(dist, 'types/index.d.ts'), join(dist, 'types/index.d.cts'));
}

await import('./build_wasm.mjs');
for (const folder of ['esm', 'cjs', 'types']) {
  rmSync(join(dist, folder), {recursive: true, force: true});
}
await Promise.all([buildEsm(), buildCommonJs(), buildTypes()]);
