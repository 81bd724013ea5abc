import js from '@eslint/js';
import {defineConfig} from 'eslint/config';
import tseslint from 'typescript-eslint';

// Data flows one way: a layer calls ops, an op runs a kernel, and neither knows where it runs. Each
// room lists what it must not reach for.
const TFJS_UNION = {
  regex: '^@tensorflow/tfjs$',
  message: 'The library stands on tfjs-core and tfjs-layers; the union is for tests and programs.',
};
const BACKENDS = {
  regex: '^@tensorflow/tfjs-(backend-|node)',
  allowTypeImports: true,
  message: "A backend is the user's choice: the library imports only its types.",
};
const KERNELS = {
  regex: '/(kernels|gradients)/|/kernel$',
  allowTypeImports: true,
  message: 'Layers and models call ops.',
};
const REGISTERED = {
  regex: '/(kernels|gradients)/',
  message: 'An op runs a kernel by its name.',
};
const LAYERS = {
  regex: '/(layers|models|training)/',
  message: 'Nothing below the layers knows of them.',
};
const OPS = {
  regex: '/ops/',
  message: 'A kernel knows nothing of ops.',
};

const nodeGlobals = Object.fromEntries(
  Object.getOwnPropertyNames(globalThis).map((name) => [name, 'readonly']),
);

/** The rule for the files of one room. */
function room(files, ...patterns) {
  return {
    files,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {patterns: [TFJS_UNION, BACKENDS, ...patterns]},
      ],
    },
  };
}

export default defineConfig(
  {
    ignores: [
      'dist',
      'runs',
      'coverage',
      '.gpu',
      'native/build',
      'native/deps',
      'src/kernels/wasm/assembly',
    ],
  },
  js.configs.recommended,
  tseslint.configs.strict,
  {
    languageOptions: {globals: nodeGlobals},
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: {
      sourceType: 'commonjs',
      globals: {__dirname: 'readonly', module: 'writable', require: 'readonly'},
    },
    rules: {'@typescript-eslint/no-require-imports': 'off'},
  },
  room(['src/*.ts']),
  room(['layers/**', 'models/**', 'training/**'], KERNELS),
  room(['ops/**'], REGISTERED, LAYERS),
  room(['src/gradients/**'], {...REGISTERED, regex: '/kernels/'}, LAYERS),
  room(['src/kernels/**'], LAYERS, OPS, {...OPS, regex: '/gradients/'}),
);
