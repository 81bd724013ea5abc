// Bundles the tests of everything that runs on a backend into dist/gpu/kernels.mjs, one file that needs
// only Node.js, the package `webgpu` beside it, and a checkout as its current directory.
//
//   node scripts/build_gpu_suite.mjs          only builds it
//   node scripts/build_gpu_suite.mjs --run    runs it too, on the GPU of this machine; passes the rest on
import {readdirSync, readFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {bundleForGpu, root} from './gpu_bundle.mjs';

const folder = join(root, 'test');

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

await bundleForGpu('kernels.mjs', entry());
