// Builds what is published: for ESM and CommonJS a file a module, so that bundlers leave out what is
// not used; one file for a script tag; and the type declarations. The maps hold their sources.
// Everything of TensorFlow.js stays external.
import {build, transform} from 'esbuild';
import {rmSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {rollup} from 'rollup';
import {dts} from 'rollup-plugin-dts';
import {tensorflowGlobal} from './tensorflow_global.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const TARGET = 'es2022';
const source = (entry) => join(root, `src/${entry}.ts`);

/** The API without kernels, the kernels of each backend, and all together. */
const ENTRIES = [
  'index',
  'core',
  'cpu',
  'data',
  'tensorflow',
  'training',
  'wasm',
  'webgl',
  'webgpu',
];

/** TensorFlow.js, the loader of the addon, which is a file of this package, and Node.js. */
const EXTERNAL = /^(@tensorflow\/|tfjs-megablocks\/|node:)/;

/** Compiles the sources, whose imports have no extension but that of JSON. */
const typescript = {
  name: 'typescript',
  resolveId: (path, importer) =>
    path.startsWith('.') ? resolve(dirname(importer), addExtension(path)) : undefined,
  transform: (code, id) =>
    isJson(id)
      ? {code: `export default ${code}`, map: null}
      : transform(code, {
          loader: 'ts',
          target: TARGET,
          sourcefile: id,
          sourcemap: 'external',
          tsconfigRaw: {compilerOptions: {verbatimModuleSyntax: true}},
        }),
};
const isJson = (path) => path.endsWith('.json');
const addExtension = (path) => (isJson(path) ? path : `${path}.ts`);

/** An entry that only registers kernels exports nothing, and has no types. */
const EXPECTED_LOGS = ['EMPTY_BUNDLE', 'CIRCULAR_DEPENDENCY'];

function load(plugin) {
  return rollup({
    input: ENTRIES.map(source),
    external: EXTERNAL,
    plugins: [plugin],
    onLog: (level, log, handle) => EXPECTED_LOGS.includes(log.code) || handle(level, log),
  });
}

async function buildModules() {
  const modules = await load(typescript);
  const layout = {preserveModules: true, preserveModulesRoot: root, sourcemap: true};
  await modules.write({...layout, format: 'es', dir: join(dist, 'esm')});
  const entryFileNames = '[name].cjs';
  await modules.write({...layout, format: 'cjs', dir: join(dist, 'cjs'), entryFileNames});
  await modules.close();
}

/** The global `megablocks`, beside TensorFlow.js' `tf`. */
async function buildScript() {
  await build({
    entryPoints: [source('script_tag')],
    outfile: join(dist, 'megablocks.min.js'),
    bundle: true,
    format: 'iife',
    globalName: 'megablocks',
    platform: 'browser',
    target: TARGET,
    minify: true,
    sourcemap: true,
    plugins: [tensorflowGlobal],
  });
}

/** Bundled, since the extensionless imports of the sources mean nothing to a `nodenext` project. */
async function buildTypes() {
  const bundle = await load(dts());
  const dir = join(dist, 'types');
  for (const extension of ['d.ts', 'd.cts']) {
    const names = {
      entryFileNames: `[name].${extension}`,
      chunkFileNames: `[name]-[hash].${extension}`,
    };
    await bundle.write({dir, format: 'es', ...names});
  }
  await bundle.close();
}

await import('./build_wasm.mjs');
for (const folder of ['esm', 'cjs', 'types']) {
  rmSync(join(dist, folder), {recursive: true, force: true});
}
await Promise.all([buildModules(), buildScript(), buildTypes()]);
