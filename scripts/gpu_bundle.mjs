// Bundles a program for machines with a GPU: one file that needs only Node.js, the package `webgpu` beside
// it, and a checkout as its current directory.
import {build} from 'esbuild';
import {spawnSync} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** For the packages that are CommonJS, and the tests, which find their data by the folder they are in. */
const BANNER = `
import {createRequire as createRequireOfBundle} from 'node:module';
import {join as joinOfBundle} from 'node:path';
const require = createRequireOfBundle(import.meta.url);
const __dirname = joinOfBundle(process.cwd(), 'test');
`;

/** The addon, by the checkout that is the current directory, and only once it is asked for. */
const lazyAddon = {
  name: 'lazy-addon',
  setup({onResolve, onLoad}) {
    onResolve({filter: /^tfjs-megablocks\/native$/}, ({path}) => ({path, namespace: 'addon'}));
    onLoad({filter: /./, namespace: 'addon'}, ({path}) => ({
      contents: `
        import {createRequire} from 'node:module';
        import {join} from 'node:path';
        const requireOfCheckout = createRequire(join(process.cwd(), 'package.json'));
        export const loadNative = (...args) => requireOfCheckout('${path}').loadNative(...args);`,
    }));
  },
};

/**
 * Bundles the code of an entry point, with paths from the project's root, into dist/gpu/<name>. With
 * `--run` as the first argument of this process it is run on the GPU of this machine, with the others.
 */
export async function bundleForGpu(name, contents) {
  const outfile = join(root, 'dist/gpu', name);
  await import('./build_wasm.mjs');
  await build({
    stdin: {contents, resolveDir: root, sourcefile: name},
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['webgpu'],
    plugins: [lazyAddon],
    // tfjs' packages say that importing them has no effect; it registers a backend.
    ignoreAnnotations: true,
    banner: {js: BANNER},
    minifyWhitespace: true,
    // Messages name classes.
    keepNames: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  const [first, ...args] = process.argv.slice(2);
  if (first === '--run') {
    const {status} = spawnSync(process.execPath, [outfile, ...args], {cwd: root, stdio: 'inherit'});
    process.exitCode = status ?? 1;
  }
}
