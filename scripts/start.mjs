// `npm start -- <options>`: installs what is missing, builds, and trains the language model. The
// experiment runs in this process, so that Ctrl-C reaches it directly.
import {createRequire} from 'node:module';
import {installIfNeeded} from './install_if_needed.mjs';

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
await createRequire(import.meta.url)('../dist/exp/language_model.cjs').main(process.argv.slice(2));
