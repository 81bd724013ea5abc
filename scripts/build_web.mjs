// The page, by Vite; web/vite.config.ts says how.
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {build, createServer} from 'vite';

const root = join(dirname(fileURLToPath(import.meta.url)), '../web');
/** Bundled, since it imports a source, whose own imports have no extension, of which Vite warns. */
process.env.VITE_CONFIG_NATIVE_IGNORE_WARNING = 'true';
export const config = {root, configFile: join(root, 'vite.config.ts'), configLoader: 'bundle'};

/** Builds the static site into dist/web, or into another folder, where it leaves what else is there. */
export async function buildWeb(folder) {
  // Vite takes the one that is set, and would leave out what only the finished page needs.
  process.env.NODE_ENV = 'production';
  const elsewhere = folder != null && {build: {outDir: resolve(folder), emptyOutDir: false}};
  await build({...config, ...elsewhere});
}

/** Serves the page from its sources, until the process ends. */
export async function serveWeb() {
  const server = await createServer(config);
  await server.listen();
  server.printUrls();
}
