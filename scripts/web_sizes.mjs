// Prints, as the table of the README, how much of this package a page carries by what it imports.
import {build} from 'esbuild';
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What a page of one backend imports. */
const page = (backend) => `
  import {layers} from 'tfjs-megablocks/core';
  import 'tfjs-megablocks/${backend}';
  console.log(layers.dMoE);`;

/** The minified bundle of a program in which this package is installed. */
async function bundle(contents) {
  const {outputFiles} = await build({
    stdin: {contents, resolveDir: root},
    bundle: true,
    minify: true,
    format: 'esm',
    // As the packages of the table; Node.js' own are not there in a page.
    external: ['@tensorflow/*', 'node:*'],
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0].contents;
}

const kilobytes = (bytes) => `${Math.round(bytes / 1000)} kB`;

await import('./build.mjs');
const rows = {
  ...Object.fromEntries(
    await Promise.all(
      ['webgpu', 'webgl', 'wasm', 'cpu'].map(async (backend) => [
        `\`layers\` of \`core\`, and \`${backend}\``,
        await bundle(page(backend)),
      ]),
    ),
  ),
  '`layers` of `tfjs-megablocks`: every backend': await bundle(
    "import {layers} from 'tfjs-megablocks'; console.log(layers.dMoE);",
  ),
  'the file for script tags': readFileSync(join(root, 'dist/megablocks.min.js')),
};
console.log('| page | size | gzip |\n|---|--:|--:|');
for (const [name, contents] of Object.entries(rows)) {
  console.log(
    `| ${name} | ${kilobytes(contents.length)} | ${kilobytes(gzipSync(contents).length)} |`,
  );
}
