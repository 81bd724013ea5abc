// `npm run web` serves the page and reloads it as its sources change; with `--build`, `npm run web:build`
// makes the static site, which works from any folder of any server, in dist/web or another folder.
import {installIfNeeded} from './install_if_needed.mjs';

try {
  installIfNeeded();
  await import('./build_wasm.mjs');
  const {buildWeb, serveWeb} = await import('./build_web.mjs');
  const [mode, folder] = process.argv.slice(2);
  await (mode === '--build' ? buildWeb(folder) : serveWeb());
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
