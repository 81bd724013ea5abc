// `npm run bench -- <options>`: installs and compiles what is missing, and runs the benchmarks,
// benchmarks/<name>_bench.ts, in this process.
import {readdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {chromium} from './chromium.mjs';
import {installIfNeeded} from './install_if_needed.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

try {
  installIfNeeded();
  await import('./build_wasm.mjs');
  // From here on, TypeScript can be required; tsconfig.json says how.
  require('ts-node').register({cwd: root});
  const folder = join(root, 'benchmarks');
  const files = readdirSync(folder).filter((name) => name.endsWith('_bench.ts'));
  const benchmarks = files.map((name) => require(join(folder, name)).benchmark);
  const {main} = require(join(folder, 'main.ts'));
  await main(process.argv.slice(2), benchmarks, chromium);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
