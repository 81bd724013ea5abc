import {existsSync, readFileSync, statSync} from 'node:fs';
import {extname, join} from 'node:path';
import {serve, type Serving} from './serve';

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** Serves the files of a folder as a static server does, under a path such as '/some/folder/'. */
export async function serveFolder(folder: string, under = '/'): Promise<Serving> {
  const serving = await serve((path) => {
    const name = path.startsWith(under) ? path.slice(under.length) || 'index.html' : '';
    const file = join(folder, name);
    return existsSync(file) && statSync(file).isFile()
      ? {type: TYPES[extname(file)] ?? 'application/octet-stream', body: readFileSync(file)}
      : undefined;
  });
  return {...serving, url: new URL(under, serving.url).href};
}
