// Bundles the tests of everything that runs on a backend into dist/gpu/kernels.mjs, one file that needs
// only Node.js, the package `webgpu` beside it, and a checkout as its current directory.
//
//   node scripts/build_gpu_suite.mjs          only builds it
//   node scripts/build_gpu_suite.mjs --run    runs it too, on the GPU of this machine; passes the rest on
import {build} from 'esbuild';
import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import {basename, dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, 'test');
const outfile = join(root, 'dist/gpu/kernels.mjs');

/** Every test file that declares its tests once a backend, and what only GPUs are fast enough for. */
function testFiles() {
  const files = readdirSync(folder).filter(
    (name) =>
      name.endsWith('_test.ts') &&
      readFileSync(join(folder, name), 'utf8').includes('describeEachBackend('),
  );
  return [...files.map((name) => `./test/${name}`), './test/gpu/random_shapes.ts'];
}

function entry() {
  const loaders = testFiles().map(
    (file) => `  '${basename(file, '.ts')}': () => import('${file}'),`,
  );
  return ["import {main} from './test/gpu/main';", 'await main({', ...loaders, '});'].join('\n');
}

/** For the packages that are CommonJS, and the tests, which find their data by the folder they are in. */
const BANNER = `
import {createRequire as createRequireOfBundle} from 'node:module';
import {join as joinOfBundle} from 'node:path';
const require = createRequireOfBundle(import.meta.url);
const __dirname = joinOfBundle(process.cwd(), 'test');
`;

await import('./build_wasm.mjs');
await build({
  stdin: {contents: entry(), resolveDir: root, sourcefile: 'kernels.mjs'},
  outfile,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['webgpu'],
  // tfjs' packages say that importing them has no effect; it registers a backend.
  ignoreAnnotations: true,
  banner: {js: BANNER},
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
});

const args = process.argv.slice(2);
if (args[0] === '--run') {
  const {status} = spawnSync(process.execPath, [outfile, ...args.slice(1)], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
