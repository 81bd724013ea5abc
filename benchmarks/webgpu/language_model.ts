import * as tf from '@tensorflow/tfjs';
import {
  AdamWOptimizer,
  LANGUAGE_MODEL_PRESETS,
  languageModel,
  type LanguageModelConfig,
  type PresetName,
  withLinearCrossEntropy,
} from '../../src/index';
import {flopsPerToken} from '../../training/flops';
import {median} from '../harness';
import * as tfjs from '../tfjs_ops';
import {finish, values} from './measure';
import type {Row} from './products';

// Training steps of whole language models, at the sizes of the paper.

const WARM_UP_MS = 500;
/** A turn takes as many steps as come to this, and at most so many. */
const TURN_MS = 700;
const MAX_STEPS = 8;
const TURNS = 3;
const INIT_STD = 0.02;

function randomIds(shape: number[], vocabSize: number, seed: number): tf.Tensor {
  return tf.tidy(() =>
    tf.cast(tf.floor(tf.randomUniform(shape, 0, vocabSize, 'float32', seed)), 'int32'),
  );
}

/** Makes weights on the device while `build` runs: to draw billions of them on the host takes minutes. */
function withFastInitializers<T>(build: () => T): T {
  let seed = 0;
  const prototype = Object.getPrototypeOf(tf.initializers.randomNormal({})) as {
    apply: (shape: number[]) => tf.Tensor;
  };
  const {apply} = prototype;
  prototype.apply = (shape) => values(shape, seed++, INIT_STD);
  try {
    return build();
  } finally {
    prototype.apply = apply;
  }
}

/** What changes no parameter: for the time of the forward and backward pass alone. */
class NoUpdate extends tf.Optimizer {
  /** @nocollapse */
  static className = 'BenchmarkNoUpdate';

  override applyGradients() {
    // Nothing.
  }

  getConfig() {
    return {};
  }
}

function row(what: string, config: LanguageModelConfig, batch: number, ms: number): Row {
  const {hiddenSize, ffnHiddenSize = 4 * hiddenSize, moe} = config;
  const tokens = batch * config.sequenceLength;
  const flops = tokens * flopsPerToken({...config, ffnHiddenSize, numExperts: moe?.moeNumExperts});
  return {
    what,
    shape: `${batch} x ${config.sequenceLength}`,
    ms,
    tflops: flops / ms / 1e9,
    tokensPerSecond: (1000 * tokens) / ms,
  };
}

/** The median time of a step in ms, of `run`, which runs so many and may leave them to the GPU. */
async function timeSteps(run: (steps: number) => Promise<unknown>): Promise<number> {
  const turn = async (steps: number) => {
    const begin = performance.now();
    await run(steps);
    await finish();
    return (performance.now() - begin) / steps;
  };
  // Programs are compiled in the first step.
  await turn(1);
  let [spent, last] = [0, 0];
  while (spent < WARM_UP_MS) {
    last = await turn(1);
    spent += last;
  }
  const steps = Math.max(1, Math.min(MAX_STEPS, Math.round(TURN_MS / last)));
  const times: number[] = [];
  for (let i = 0; i < TURNS; i++) {
    times.push(await turn(steps));
  }
  return median(times);
}

/** This library's model, trained by `fit`. */
export async function trainModel(preset: PresetName, batch: number): Promise<Row[]> {
  const config = LANGUAGE_MODEL_PRESETS[preset];
  const {vocabSize, sequenceLength} = config;
  const {model, loss} = withLinearCrossEntropy(withFastInitializers(() => languageModel(config)));
  const ids = randomIds([MAX_STEPS * batch, sequenceLength], vocabSize, 1);
  const targets = randomIds([MAX_STEPS * batch, sequenceLength, 1], vocabSize, 2);
  const rows: Row[] = [];
  const optimizers = {
    'forward and backward': new NoUpdate(),
    'training step, AdamW': new AdamWOptimizer({learningRate: 1e-4}),
  };
  for (const [what, optimizer] of Object.entries(optimizers)) {
    model.compile({optimizer, loss});
    const fit = async (steps: number) => {
      const rows = steps * batch;
      const [x, y] = [ids, targets].map((t) => t.slice(0, rows));
      await model.fit(x, y, {batchSize: batch, shuffle: false, yieldEvery: 'never', verbose: 0});
      tf.dispose([x, y]);
    };
    rows.push(row(`${preset}, ${what}`, config, batch, await timeSteps(fit)));
  }
  return rows;
}

/** The loss of a batch, as a function of the weights of the dense model made of tfjs' own ops. */
export function tfjsModelLoss(preset: 'xs' | 'small', batch: number): () => tf.Scalar {
  const config = LANGUAGE_MODEL_PRESETS[preset];
  const {vocabSize, sequenceLength, hiddenSize: H, numLayers, numHeads} = config;
  let seed = 0;
  const weight = (...shape: number[]) => tf.variable(values(shape, seed++, INIT_STD));
  const zeros = (size: number) => tf.variable(tf.zeros([size]));
  const ones = (size: number) => tf.variable(tf.ones([size]));
  const norm = () => ({gamma: ones(H), beta: zeros(H)});
  const dense = (from: number, to: number) => ({kernel: weight(from, to), bias: zeros(to)});
  const table = weight(vocabSize, H);
  const positions = weight(sequenceLength, H);
  const blocks = Array.from({length: numLayers}, () => ({
    norm1: norm(),
    qkv: dense(H, 3 * H),
    projection: dense(H, H),
    norm2: norm(),
    up: dense(H, 4 * H),
    down: dense(4 * H, H),
  }));
  const lastNorm = norm();
  const mask = tfjs.causalMask(sequenceLength);
  const tokens = batch * sequenceLength;

  const normalized = (x: tf.Tensor, {gamma, beta}: ReturnType<typeof norm>) =>
    tfjs.layerNorm(x, gamma, beta);
  const linear = (x: tf.Tensor, {kernel, bias}: ReturnType<typeof dense>) =>
    tf.add(tf.matMul(x as tf.Tensor2D, kernel as tf.Tensor2D), bias);
  const loss = (ids: tf.Tensor1D, labels: tf.Tensor1D) => {
    const embedded = tfjs.plainGatherRows(table as tf.Tensor2D, ids);
    const shape = [batch, sequenceLength, H];
    let x: tf.Tensor = tf.reshape(tf.add(tf.reshape(embedded, shape), positions), [tokens, H]);
    for (const {norm1, qkv, projection, norm2, up, down} of blocks) {
      const heads = tf.reshape(linear(normalized(x, norm1), qkv), [batch, sequenceLength, 3 * H]);
      const attended = tfjs.causalAttention(heads as tf.Tensor3D, numHeads, mask);
      x = tf.add(x, linear(tf.reshape(attended, [tokens, H]), projection));
      x = tf.add(x, linear(tfjs.geluNew(linear(normalized(x, norm2), up)), down));
    }
    const hidden = normalized(x, lastNorm) as tf.Tensor2D;
    const logits: tf.Tensor2D = tf.matMul(hidden, table as tf.Tensor2D, false, true);
    return tf.mean(tfjs.softmaxCrossEntropy(labels, logits)) as tf.Scalar;
  };
  const ids = randomIds([tokens], vocabSize, 1) as tf.Tensor1D;
  const labels = randomIds([tokens], vocabSize, 2) as tf.Tensor1D;
  return () => loss(ids, labels);
}

/** The dense model of the same sizes from tfjs' own ops, trained by its Adam. */
export async function trainTfjsModel(preset: 'xs' | 'small', batch: number): Promise<Row[]> {
  const config = LANGUAGE_MODEL_PRESETS[preset];
  const loss = tfjsModelLoss(preset, batch);
  const steps = (step: () => void) => async (count: number) => {
    for (let i = 0; i < count; i++) {
      tf.tidy(step);
    }
  };
  const optimizer = tf.train.adam(1e-4);
  const label = `${preset}, plain tfjs`;
  const both = await timeSteps(steps(() => void tf.variableGrads(loss)));
  const all = await timeSteps(steps(() => void optimizer.minimize(loss)));
  return [
    row(`${label}, forward and backward`, config, batch, both),
    row(`${label}, training step, Adam`, config, batch, all),
  ];
}
