// Builds what is published: for each entry one bundle each for ESM and CommonJS, with source maps
// that hold their sources, and the type declarations. Everything of TensorFlow.js stays external.
import {build} from 'esbuild';
import {copyFileSync, rmSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {rollup} from 'rollup';
import {dts} from 'rollup-plugin-dts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const entries = ['index', 'webgpu'];
const source = (entry) => join(root, `src/${entry}.ts`);

const bundleOptions = {
  entryPoints: entries.map(source),
  bundle: true,
  external: ['@tensorflow/*'],
  sourcemap: true,
  target: 'es2022',
};

/** The neutral platform makes an import that browsers lack an error. */
async function buildEsm() {
  await build({...bundleOptions, format: 'esm', platform: 'neutral', outdir: join(dist, 'esm')});
}

/** The node platform adds what lets ESM import a CommonJS module's exports by name. */
async function buildCommonJs() {
  const outdir = join(dist, 'cjs');
  const outExtension = {'.js': '.cjs'};
  await build({...bundleOptions, format: 'cjs', platform: 'node', outdir, outExtension});
}

/** Bundled, since the extensionless imports of the sources mean nothing to a `nodenext` project. */
async function buildTypes(entry) {
  const file = join(dist, `types/${entry}.d.ts`);
  const bundle = await rollup({
    input: source(entry),
    external: /^@tensorflow\//,
    plugins: [dts()],
  });
  await bundle.write({file, format: 'es'});
  await bundle.close();
  copyFileSync(file, file.replace(/ts$/, 'cts'));
}

await import('./build_wasm.mjs');
for (const folder of ['esm', 'cjs', 'types']) {
  rmSync(join(dist, folder), {recursive: true, force: true});
}
await Promise.all([buildEsm(), buildCommonJs(), ...entries.map(buildTypes)]);
