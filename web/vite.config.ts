import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defineConfig, type Plugin} from 'vite';
import {loadTextData} from '../training/text_data';

const SERVICE_WORKER = 'service_worker.js';

/**
 * Nothing of the page may reach another server, or run a script that is not its own. Where Vite serves
 * the page it must reload it by itself, so there is no policy.
 */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "object-src 'none'",
].join('; ');

/** The built-in text as a module, so that it is loaded when it is asked for. */
function mobyDick(): Plugin {
  const id = 'virtual:moby-dick';
  return {
    name: 'moby-dick',
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load: async (resolved) => {
      if (resolved !== `\0${id}`) {
        return undefined;
      }
      const json = JSON.stringify(await loadTextData('moby-dick'));
      // Browsers parse a string of JSON faster than an object of JavaScript.
      return `export default JSON.parse(${JSON.stringify(json)});`;
    },
  };
}

function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: {'http-equiv': 'Content-Security-Policy', content: POLICY},
        injectTo: 'head-prepend',
      },
    ],
  };
}

/** Tells the service worker which files the page is made of. */
function precacheManifest(publicFiles: readonly string[]): Plugin {
  const revision = (contents: string | Uint8Array) =>
    createHash('sha256').update(contents).digest('hex').slice(0, 16);
  return {
    name: 'precache-manifest',
    apply: 'build',
    enforce: 'post',
    generateBundle: (_, bundle) => {
      const entries = Object.values(bundle)
        .filter(({fileName}) => fileName !== SERVICE_WORKER && !fileName.endsWith('.map'))
        .map((file) => ({
          url: file.fileName,
          revision: revision(file.type === 'chunk' ? file.code : file.source),
        }));
      const others = publicFiles.map((url) => ({
        url,
        revision: revision(readFileSync(join(import.meta.dirname, 'public', url))),
      }));
      const worker = bundle[SERVICE_WORKER];
      if (worker?.type !== 'chunk') {
        throw new Error(`${SERVICE_WORKER} was not built`);
      }
      worker.code = worker.code.replace(
        'self.__PRECACHE_MANIFEST',
        JSON.stringify([...entries, ...others]),
      );
    },
  };
}

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that the page works from any folder.
  base: './',
  cacheDir: '../node_modules/.vite',
  plugins: [
    mobyDick(),
    contentSecurityPolicy(),
    precacheManifest(['icon.svg', 'manifest.webmanifest']),
  ],
  optimizeDeps: {
    // Else Vite finds those of the worker as it comes to them, and reloads the page in the middle of a run.
    include: [
      'core',
      'layers',
      'backend-cpu',
      'backend-wasm',
      'backend-webgl',
      'backend-webgpu',
    ].map((name) => `@tensorflow/tfjs-${name}`),
  },
  worker: {format: 'es', plugins: () => [mobyDick()]},
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    // tfjs is large, and no part of it can be spared.
    chunkSizeWarningLimit: 2000,
    rolldownOptions: {
      checks: {pluginTimings: false},
      input: {
        index: join(import.meta.dirname, 'index.html'),
        service_worker: join(import.meta.dirname, 'src/service_worker.ts'),
      },
      output: {
        entryFileNames: ({name}) =>
          name === 'service_worker' ? SERVICE_WORKER : 'assets/[name]-[hash].js',
      },
    },
  },
});
