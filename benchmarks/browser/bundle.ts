import {build} from 'esbuild';

/** The script of the page: the benchmarks of these names, and all that they measure. */
export async function bundlePage(names: readonly string[]): Promise<Uint8Array> {
  const imports = names.map((name, i) => `import {benchmark as b${i}} from '../${name}_bench.ts';`);
  const {outputFiles} = await build({
    stdin: {
      contents: [
        "import {preparePage} from './page';",
        ...imports,
        `preparePage([${names.map((_, i) => `b${i}`).join(', ')}]);`,
      ].join('\n'),
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
    // tfjs' packages say that importing them has no effect; it registers a backend.
    ignoreAnnotations: true,
    logLevel: 'warning',
  });
  return outputFiles[0].contents;
}
