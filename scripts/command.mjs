// `npm start`, `npm run preprocess` and the like: installs what is missing, builds, and runs one of the
// commands in exp/, by its name. It runs in this process, so that Ctrl-C reaches it directly.
import {createRequire} from 'node:module';
import {installIfNeeded} from './install_if_needed.mjs';

const [name, ...args] = process.argv.slice(2);
try {
  installIfNeeded();
  await import('./build_wasm.mjs');
  const {buildExperiments} = await import('./build_exp.mjs');
  await buildExperiments();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.setSourceMapsEnabled(true);
await createRequire(import.meta.url)(`../dist/exp/${name}.cjs`).main(args);
