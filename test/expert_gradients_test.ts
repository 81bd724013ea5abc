import * as tf from '@tensorflow/tfjs';
import {AdamWOptimizer, languageModel, layers, sparseSoftmaxCrossEntropyLoss} from '../src/index';
import {describeEachBackend} from './backends';

const SIZES = {vocabSize: 13, sequenceLength: 6, hiddenSize: 8, numLayers: 2, numHeads: 2, seed: 1};

describeEachBackend(
  'the gradients of experts',
  () => {
    // What tfjs' own fused matMul saves for its gradient counts as a leak of its kernel on wasm.
    beforeAll(() => tf.env().set('IS_TEST', false));

    test('are finite, and count once in the norm that clips', async () => {
      const optimizer = new AdamWOptimizer({learningRate: 0.01, clipNorm: 1});
      const moe = {moeNumExperts: 4, moeTopK: 2, moeLossWeight: 0.1};
      const model = languageModel({...SIZES, feedForward: 'dMoE', moe});
      model.compile({optimizer, loss: sparseSoftmaxCrossEntropyLoss});
      const ids = tf.tensor2d([[1, 5, 2, 7, 7, 3]], undefined, 'int32');
      const labels = tf.tensor3d([[[5], [2], [7], [7], [3], [9]]], undefined, 'int32');

      const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
      const {grads} = tf.variableGrads(() => {
        const logits = model.apply(ids, {training: true}) as tf.Tensor;
        const loss = sparseSoftmaxCrossEntropyLoss(labels, logits);
        return tf.add(loss, layers.batchedLoadBalancingLoss(model)) as tf.Scalar;
      }, variables);
      layers.clearLoadBalancingLoss(model);
      let squares = 0;
      for (const gradient of Object.values(grads)) {
        (await gradient.data()).forEach((value) => (squares += value * value));
      }
      const experts = Object.keys(grads).filter((name) => name.includes('experts.mlp'));
      expect(experts.length).toBe(2 * SIZES.numLayers);

      await model.fit(ids, labels, {verbose: 0});
      const norm = await optimizer.settleUpdate();
      expect(norm).toBeCloseTo(Math.sqrt(squares), 4);
      expect(norm).toBeGreaterThan(0);
    });
  },
  ['cpu', 'wasm'],
);
