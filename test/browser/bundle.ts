import {build, type Plugin} from 'esbuild';
import {join} from 'node:path';
import {PAGE_TESTS} from './settings';

const IN_PAGE = join(__dirname, 'node_in_page.ts');
const JEST_UTIL_IN_PAGE = join(__dirname, 'jest_util_in_page.ts');

/** For the tests alone: in the library, what only Node.js has stays an error. */
const NODE_IN_PAGE: Plugin = {
  name: 'node-in-page',
  setup: ({onResolve}) =>
    onResolve({filter: /^node:(fs|path|util)$/}, ({importer}) =>
      importer.startsWith(join(__dirname, '..')) ? {path: IN_PAGE} : undefined,
    ),
};

/** The script of the page: the tests, and all that they test. */
export async function bundlePage(): Promise<Uint8Array> {
  const files = PAGE_TESTS.map(
    ({file, backends}) => `{backends: ${JSON.stringify(backends)}, load: () => import('${file}')},`,
  );
  const {outputFiles} = await build({
    stdin: {
      contents: ["import {preparePage} from './page';", 'preparePage([', ...files, ']);'].join(
        '\n',
      ),
      resolveDir: __dirname,
      sourcefile: 'page.js',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // A backend of Node.js alone, which a page never loads.
    external: ['../src/tensorflow'],
    alias: {'jest-util': JEST_UTIL_IN_PAGE, 'jest-message-util': JEST_UTIL_IN_PAGE},
    plugins: [NODE_IN_PAGE],
    define: {
      __dirname: '"/test"',
      'process.env': JSON.stringify({
        MEGABLOCKS_WEBGPU: 'found',
        MEGABLOCKS_WEBGL: 'found',
      }),
    },
    // tfjs' packages say that importing them has no effect; it registers a backend.
    ignoreAnnotations: true,
    // Messages name classes.
    keepNames: true,
    logLevel: 'warning',
  });
  return outputFiles[0].contents;
}
