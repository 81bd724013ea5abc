const {TestEnvironment} = require('jest-environment-node');

/** One Dawn a process: it crashes when what it made is collected. */
let gpu;

/** Node.js as the tests see it, with WebGPU where scripts/test.mjs found a driver for it. */
module.exports = class NodeEnvironmentWithWebGPU extends TestEnvironment {
  async setup() {
    await super.setup();
    if (process.env.MEGABLOCKS_WEBGPU === 'found') {
      // Outside of Jest's module registry, which knows no ES modules.
      const {create, globals} = await import('webgpu');
      gpu ??= create([]);
      Object.assign(this.global, globals);
      Object.defineProperty(this.global, 'navigator', {value: {gpu}, configurable: true});
    }
  }
};
