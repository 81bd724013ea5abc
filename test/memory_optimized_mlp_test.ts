import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs';
import {layers} from '../src/index';
import type {MoEArguments} from '../layers/arguments';
import {describeEachBackend} from './backends';

// What memoryOptimizedMlp is for: the bytes that a forward pass keeps for the backward pass.

const [TOKENS, H, F, E, K] = [32, 8, 64, 4, 2];
const BLOCK = 16;
const BYTES = 4;

const WAYS: {name: string; make: (config: MoEArguments) => tf.layers.Layer; rows: number}[] = [
  {name: 'dMoE, grouped', make: (config) => layers.dMoE(config), rows: TOKENS * K},
  {
    name: 'dMoE, sparse',
    make: (config) => layers.dMoE({...config, mlpImpl: 'sparse', blockSize: BLOCK}),
    // The static bound of the padded rows.
    rows: BLOCK * Math.floor((TOKENS * K + E * (BLOCK - 1)) / BLOCK),
  },
  {
    name: 'moe',
    make: (config) => layers.moe({...config, moeCapacityFactor: 1}),
    rows: TOKENS * K,
  },
];

const [, SPARSE] = WAYS;

/** How many bytes are there between the forward and the backward pass that were not before. */
function bytesKept(layer: tf.layers.Layer, x: tf.Tensor, bytes: () => number): number {
  let kept = 0;
  tf.tidy(() => {
    // Runs at the very end of the forward pass.
    const sample = tf.customGrad((y) => {
      kept = bytes();
      return {value: tf.clone(y as tf.Tensor), gradFunc: (dy: tf.Tensor) => dy};
    });
    const before = bytes();
    tf.variableGrads(() => {
      const y = layer.apply(x, {training: true}) as tf.Tensor;
      return sample(tf.sum(y)) as tf.Scalar;
    });
    kept -= before;
  });
  return kept;
}

/** Of all tensors, those that share their data counted each. */
function bytesOfTensors(): number {
  return tf.memory().numBytes;
}

/** Of the GPU's buffers in use. */
function bytesOfBuffers(): number {
  const backend = tf.backend() as WebGPUBackend;
  // What was disposed of is only free once the programs that use it are submitted.
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
  return (tf.memory() as unknown as {numBytesInGPU: number}).numBytesInGPU;
}

/** The same of a new layer. */
function bytesKeptBy(
  make: (config: MoEArguments) => tf.layers.Layer,
  mlpType: 'mlp' | 'glu',
  memoryOptimizedMlp: boolean,
  bytes = bytesOfTensors,
): number {
  const layer = make({
    ffnHiddenSize: F,
    moeNumExperts: E,
    moeTopK: K,
    moeLossWeight: 0,
    mlpType,
    memoryOptimizedMlp,
    seed: 1,
  });
  layer.build([TOKENS, H]);
  const x = tf.randomUniform([TOKENS, H], -1, 1, 'float32', 1);
  // Uploads the weights.
  tf.dispose(layer.apply(x) as tf.Tensor);
  const kept = bytesKept(layer, x, bytes);
  x.dispose();
  layer.weights.forEach((weight) => weight.dispose());
  return kept;
}

describeEachBackend('memoryOptimizedMlp', (backendName) => {
  // On wasm tfjs takes what tf.customGrad saves for a leak.
  beforeAll(() => tf.env().set('IS_TEST', false));

  describe.each(WAYS)('$name', ({name, make, rows}) => {
    // Hidden rows that are not kept: act(x w1), and in a glu its product with x v1.
    test.each([
      ['mlp', 1],
      ['glu', 2],
    ] as const)('keeps less of a %s', (mlpType, hiddenTensors) => {
      const [plain, optimized] = [false, true].map((memoryOptimizedMlp) =>
        bytesKeptBy(make, mlpType, memoryOptimizedMlp),
      );
      if (name === 'dMoE, grouped' && backendName === 'tensorflow' && mlpType === 'mlp') {
        // The one op of all experts keeps what its device needs, which on the CPU is less than optimized.
        expect(plain).toBeLessThan(bytesKeptBy(SPARSE.make, mlpType, false));
        return;
      }
      if (name === 'dMoE, grouped' && backendName === 'webgpu') {
        // The one op of all experts there computes the activation again in any case.
        expect(plain).toBe(optimized);
        expect(plain).toBeLessThan(bytesKeptBy(SPARSE.make, mlpType, true));
        return;
      }
      const hidden = hiddenTensors * rows * F * BYTES;
      expect(plain - optimized).toBeGreaterThanOrEqual(0.95 * hidden);
      expect(optimized).toBeLessThan(plain);
    });
  });

  if (backendName === 'webgpu') {
    test.each([
      ['mlp', 1],
      ['glu', 2],
    ] as const)('a grouped %s keeps %d pre-activations and its routing', (mlpType, count) => {
      const rows = TOKENS * K;
      const preActivations = count * rows * F;
      const output = TOKENS * H;
      // Logits and scores, and what there is of each copy of a token: its expert, weight, place and so on.
      const routing = 2 * TOKENS * E + 8 * rows;
      const kept = bytesKeptBy(WAYS[0].make, mlpType, false, bytesOfBuffers) / BYTES;
      expect(kept).toBeGreaterThanOrEqual(preActivations + output);
      expect(kept).toBeLessThanOrEqual(preActivations + output + routing);
    });
  }
});
