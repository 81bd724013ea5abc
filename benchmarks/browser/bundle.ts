import {build} from 'esbuild';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';

const BENCHMARKS = join(__dirname, '..');

/** The script of the page: every benchmark, and all that they measure. */
export async function bundlePage(): Promise<Uint8Array> {
  const files = readdirSync(BENCHMARKS).filter((name) => name.endsWith('_bench.ts'));
  const imports = files.map((name, i) => `import {benchmark as b${i}} from '../${name}';`);
  const names = files.map((_, i) => `b${i}`);
  const {outputFiles} = await build({
    stdin: {
      contents: [
        "import {preparePage} from './page';",
        ...imports,
        `preparePage([${names.join(', ')}]);`,
      ].join('\n'),
      resolveDir: __dirname,
      sourcefile: 'page.js',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // tfjs' packages say that importing them has no effect; it registers a backend.
    ignoreAnnotations: true,
    logLevel: 'warning',
  });
  return outputFiles[0].contents;
}
