/** Every test file runs on every backend that it names; scripts/test.mjs builds what they need first. */
export default {
  testEnvironment: '<rootDir>/test/node_environment.cjs',
  // Else Jest traps the writes to the globals that tfjs keeps its engine in, which outlive a file.
  testEnvironmentOptions: {globalsCleanup: 'off'},
  testMatch: ['<rootDir>/test/**/*_test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/runs'],
  transform: {
    '^.+\\.ts$': [
      'ts-jest',
      {
        // Types are checked once, by tsc (test/types_test.ts).
        diagnostics: false,
        tsconfig: {
          module: 'CommonJS',
          moduleResolution: 'node10',
          ignoreDeprecations: '6.0',
          target: 'ES2022',
          isolatedModules: true,
          esModuleInterop: true,
          verbatimModuleSyntax: false,
        },
      },
    ],
  },
  maxWorkers: '100%',
  reporters: ['default', '<rootDir>/test/totals_reporter.cjs'],
  // No test asserts a time; on a busy machine, a GPU in software takes a minute for some.
  testTimeout: 300_000,
};
