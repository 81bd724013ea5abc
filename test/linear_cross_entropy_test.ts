import * as tf from '@tensorflow/tfjs';
import {
  languageModel,
  layers,
  linearCrossEntropyLoss,
  sparseSoftmaxCrossEntropyLoss,
  withLinearCrossEntropy,
} from '../src/index';
import {describeEachBackend, expectNoLeak} from './backends';
import {expectClose} from './close';
import {random} from './random';

const composed = (labels: tf.Tensor, hidden: tf.Tensor2D, table: tf.Tensor2D): tf.Scalar =>
  sparseSoftmaxCrossEntropyLoss(labels, tf.matMul(hidden, table, false, true));

function problem(rows: number, hiddenSize: number, vocabSize: number) {
  const hidden = tf.tensor2d(random(rows * hiddenSize, 1), [rows, hiddenSize]);
  const table = tf.tensor2d(random(vocabSize * hiddenSize, 2), [vocabSize, hiddenSize]);
  // The last is out of range.
  const labels = tf.tensor1d(
    Array.from({length: rows}, (_, i) => (7 * i) % (vocabSize + 1)),
    'int32',
  );
  return {hidden, table, labels};
}

describeEachBackend('linearCrossEntropyLoss', () => {
  // tfjs' check for leaks counts what a custom gradient saves, where a clone is a copy.
  beforeAll(() => tf.env().set('IS_TEST', false));

  test.each([
    {rows: 1, hiddenSize: 1, vocabSize: 1, chunkRows: 1},
    {rows: 7, hiddenSize: 5, vocabSize: 11, chunkRows: 7},
    {rows: 7, hiddenSize: 5, vocabSize: 11, chunkRows: 3},
    {rows: 5, hiddenSize: 8, vocabSize: 33, chunkRows: 0.5},
    {rows: 40, hiddenSize: 3, vocabSize: 5, chunkRows: 1},
    {rows: 300, hiddenSize: 16, vocabSize: 40, chunkRows: 200},
  ])(
    '$rows rows of $hiddenSize, $vocabSize tokens, logits of $chunkRows rows at a time',
    ({rows, hiddenSize, vocabSize, chunkRows}) => {
      tf.tidy(() => {
        const {hidden, table, labels} = problem(rows, hiddenSize, vocabSize);
        const maxLogitsBytes = 4 * vocabSize * chunkRows;
        const inputs = [hidden, table];
        const dy = tf.scalar(1.5);
        const loss = (h: tf.Tensor, t: tf.Tensor) =>
          linearCrossEntropyLoss(labels, h, t as tf.Tensor2D, {maxLogitsBytes});
        expectNoLeak(() => tf.tidy(() => void tf.valueAndGrads(loss)(inputs, dy)));

        const got = tf.valueAndGrads(loss)(inputs, dy);
        const wanted = tf.valueAndGrads((h, t) =>
          composed(labels, h as tf.Tensor2D, t as tf.Tensor2D),
        )(inputs, dy);
        expectClose(got.value, wanted.value, {name: 'loss'});
        expectClose(loss(hidden, table), wanted.value, {name: 'loss without gradients'});
        ['hidden', 'table'].forEach((name, i) => {
          expectClose(got.grads[i], wanted.grads[i], {name: `gradient for ${name}`});
        });
      });
    },
  );

  test('labels as model.fit hands them over', () => {
    tf.tidy(() => {
      const {hidden, table, labels} = problem(6, 4, 9);
      const loss = linearCrossEntropyLoss(
        tf.cast(tf.reshape(labels, [2, 3, 1]), 'float32'),
        tf.reshape(hidden, [2, 3, 4]),
        table,
      );
      expectClose(loss, composed(labels, hidden, table));
    });
  });

  test.each([
    ['labels', () => linearCrossEntropyLoss(tf.zeros([3]), tf.zeros([2, 4]), tf.zeros([5, 4]))],
    ['hidden', () => linearCrossEntropyLoss(tf.zeros([0]), tf.zeros([0, 4]), tf.zeros([5, 4]))],
    ['table', () => linearCrossEntropyLoss(tf.zeros([2]), tf.zeros([2, 4]), tf.zeros([5, 3]))],
    [
      'maxLogitsBytes',
      () =>
        linearCrossEntropyLoss(tf.zeros([2]), tf.zeros([2, 4]), tf.zeros([5, 4]), {
          maxLogitsBytes: 0,
        }),
    ],
  ])('refuses other %s', (argument, run) => {
    tf.tidy(() => {
      expect(run).toThrow(new RegExp(`^linearCrossEntropyLoss: ${argument} must `));
    });
  });
});

describeEachBackend('withLinearCrossEntropy', () => {
  beforeAll(() => tf.env().set('IS_TEST', false));

  test.each(['dense', 'dMoE'] as const)(
    'trains a %s model as its logits do',
    async (feedForward) => {
      const [batch, sequenceLength, vocabSize] = [2, 8, 13];
      const build = () =>
        languageModel({
          vocabSize,
          sequenceLength,
          hiddenSize: 8,
          numLayers: 1,
          numHeads: 2,
          feedForward,
          ...(feedForward === 'dMoE' && {moe: {moeNumExperts: 4, moeTopK: 2}}),
        });
      const ids = tf.tensor2d(
        Array.from({length: 3 * batch * sequenceLength}, (_, i) => (5 * i + (i >> 3)) % vocabSize),
        [3 * batch, sequenceLength],
        'int32',
      );
      const targets = tf.expandDims(ids, -1);
      const direct = build();
      const model = build();
      const {model: trained, loss} = withLinearCrossEntropy(model, {
        maxLogitsBytes: 4 * vocabSize * 5,
      });
      const config = {batchSize: batch, epochs: 2, shuffle: false, verbose: 0} as const;
      direct.compile({optimizer: tf.train.sgd(0.1), loss: sparseSoftmaxCrossEntropyLoss});
      trained.compile({optimizer: tf.train.sgd(0.1), loss});
      const wanted = await direct.fit(ids, targets, config);
      const got = await trained.fit(ids, targets, config);

      expect(trained.weights.map(({name}) => name)).toEqual(model.weights.map(({name}) => name));
      got.history.loss.forEach((value, epoch) => {
        expect(value).toBeCloseTo(wanted.history.loss[epoch] as number, 3);
      });
      // The weights are the model's own.
      expectClose(model.predict(ids) as tf.Tensor, direct.predict(ids) as tf.Tensor, {
        tolerance: 2e-3,
      });
      const evaluated = trained.evaluate(ids, targets, {batchSize: batch}) as tf.Scalar;
      const evaluatedDirectly = direct.evaluate(ids, targets, {batchSize: batch}) as tf.Scalar;
      expectClose(evaluated, evaluatedDirectly, {tolerance: 2e-3});
      tf.dispose([ids, targets, evaluated, evaluatedDirectly]);
    },
  );

  test('refuses a model that ends otherwise', () => {
    const input = tf.input({shape: [3]});
    const dense = tf.model({
      inputs: input,
      outputs: tf.layers.dense({units: 2}).apply(input) as tf.SymbolicTensor,
    });
    expect(() => withLinearCrossEntropy(dense)).toThrow(
      'withLinearCrossEntropy: model must have one output, of a reversibleEmbedding layer, got Dense',
    );
    const ids = tf.input({shape: [3], dtype: 'int32'});
    const tokens = layers.reversibleEmbedding({vocabSize: 5, hiddenSize: 2});
    const hidden = tokens.apply(ids) as tf.SymbolicTensor;
    const reversed = tf.model({inputs: ids, outputs: tokens.apply(hidden) as tf.SymbolicTensor});
    expect(withLinearCrossEntropy(reversed).model.outputs[0].shape).toEqual([null, 3, null]);
    expect(() => withLinearCrossEntropy(tf.model({inputs: ids, outputs: hidden}))).toThrow(
      'withLinearCrossEntropy: model must end with logits, got the embeddings of ids',
    );
  });

  test('takes a model whatever its layers are called', () => {
    const ids = tf.input({shape: [3], dtype: 'int32', name: 'ids'});
    const tokens = layers.reversibleEmbedding({vocabSize: 5, hiddenSize: 2, name: 'logits'});
    const dense = tf.layers.dense({units: 2, name: 'hidden'});
    const hidden = dense.apply(tokens.apply(ids)) as tf.SymbolicTensor;
    const model = tf.model({inputs: ids, outputs: tokens.apply(hidden) as tf.SymbolicTensor});
    const {model: trained, loss} = withLinearCrossEntropy(model);
    trained.compile({optimizer: 'sgd', loss});
    expect(trained.outputs[0].shape).toEqual([null, 3, null]);
    model.dispose();
  });
});
