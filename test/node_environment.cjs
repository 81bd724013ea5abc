const {TestEnvironment} = require('jest-environment-node');

/** One Dawn of a kind a process: it crashes when what it made is collected. */
const gpus = new Map();

/** Node.js as the tests see it, with WebGPU where scripts/test.mjs found a driver for it. */
module.exports = class NodeEnvironmentWithWebGPU extends TestEnvironment {
  async setup() {
    await super.setup();
    // tfjs-node's addon makes its arrays outside of the tests' realm, and tfjs tells types by instanceof.
    Object.assign(this.global, {Float32Array, Int32Array});
    if (process.env.MEGABLOCKS_WEBGPU === 'found') {
      // Outside of Jest's module registry, which knows no ES modules.
      const {create, globals} = await import('webgpu');
      const createGpu = (...options) => {
        const key = options.join();
        gpus.set(key, gpus.get(key) ?? create(options));
        return gpus.get(key);
      };
      Object.assign(this.global, globals, {createGpu});
      Object.defineProperty(this.global, 'navigator', {
        value: {gpu: createGpu()},
        configurable: true,
      });
    }
  }
};
