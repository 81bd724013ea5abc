import * as tf from '@tensorflow/tfjs';
import {stopGradient} from '../src/index';
import {readGolden} from './safetensors';

// A Mixtral as Hugging Face Transformers computes it, in TensorFlow.js' own ops: what the ten steps of
// PyTorch's AdamW in test/goldens/mixtral-tiny were taken on.

const LAYERS = 2;
const HEADS = 4;
const KV_HEADS = 2;
const EXPERTS = 8;
const TOP_K = 2;
const ROPE_THETA = 1e6;
const EPSILON = 1e-5;
const AUX_LOSS_COEFFICIENT = 0.02;

type Weight = (name: string) => tf.Tensor;

/** Its weights as variables, its loss, and the losses of PyTorch's ten steps. */
export function mixtralTiny() {
  const {tensors} = readGolden('mixtral-tiny/golden');
  const {input_ids: input, adamw_losses: losses} = tensors;
  const variables = new Map<string, tf.Variable>();
  for (const [name, {values, shape}] of Object.entries(readGolden('mixtral-tiny/model').tensors)) {
    variables.set(name, tf.variable(tf.tensor(values, shape), true, `mixtral-tiny/${name}`));
  }
  const ids = tf.tensor2d(input.values, input.shape as [number, number], 'int32');
  return {
    losses: losses.values,
    variables: [...variables.values()],
    loss: () => loss((name) => variables.get(name)!, ids),
    dispose: () => tf.dispose([...variables.values(), ids]),
  };
}

/** The cross-entropy of each next token, and the router's loss. */
function loss(weight: Weight, ids: tf.Tensor2D): tf.Scalar {
  const [batch, length] = ids.shape;
  const table = weight('model.embed_tokens.weight');
  // A product, since tfjs' gradient of a look-up is slow or missing.
  let x = tf.matMul(
    tf.oneHot(tf.reshape(ids, [-1]), table.shape[0]).toFloat(),
    table as tf.Tensor2D,
  );
  const routerScores: tf.Tensor2D[] = [];
  for (let i = 0; i < LAYERS; i++) {
    const part: Weight = (name) => weight(`model.layers.${i}.${name}.weight`);
    const attended = attention(part, rmsNorm(x, part('input_layernorm')), batch, length);
    x = tf.add(x, attended);
    x = tf.add(x, experts(part, rmsNorm(x, part('post_attention_layernorm')), routerScores));
  }
  const logits = linear(rmsNorm(x, weight('model.norm.weight')), weight('lm_head.weight'));
  const vocabSize = logits.shape[1]!;
  const next = tf.reshape(tf.slice(ids, [0, 1]), [-1]);
  const predictions = tf.reshape(
    tf.slice(tf.reshape(logits, [batch, length, vocabSize]), [0, 0, 0], [batch, length - 1, -1]),
    [-1, vocabSize],
  );
  const crossEntropy = tf.losses.softmaxCrossEntropy(
    tf.oneHot(next as tf.Tensor1D, vocabSize),
    predictions,
  );
  const auxLoss = loadBalancingLoss(tf.concat(routerScores, 0));
  return tf.add(crossEntropy, tf.mul(auxLoss, AUX_LOSS_COEFFICIENT));
}

function linear(x: tf.Tensor, weight: tf.Tensor): tf.Tensor2D {
  return tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D, false, true);
}

function rmsNorm(x: tf.Tensor, weight: tf.Tensor): tf.Tensor2D {
  const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), EPSILON));
  return tf.mul(tf.mul(x, scale), weight);
}

function attention(part: Weight, x: tf.Tensor, batch: number, length: number): tf.Tensor {
  const heads = (name: string, count: number) => {
    const projected = linear(x, part(`self_attn.${name}`));
    const size = projected.shape[1] / count;
    return tf.transpose(tf.reshape(projected, [batch, length, count, size]), [0, 2, 1, 3]);
  };
  // One head of keys and values stands beside several of queries.
  const repeated = (y: tf.Tensor) =>
    tf.concat(
      tf.split(y, KV_HEADS, 1).flatMap((head) => new Array(HEADS / KV_HEADS).fill(head)),
      1,
    );
  const query = rotate(heads('q_proj', HEADS));
  const key = repeated(rotate(heads('k_proj', KV_HEADS)));
  const value = repeated(heads('v_proj', KV_HEADS));
  const size = query.shape[3]!;
  const mask = tf.mul(tf.sub(tf.linalg.bandPart(tf.ones([length, length]), -1, 0), 1), 1e30);
  const scores = tf.add(tf.div(tf.matMul(query, key, false, true), Math.sqrt(size)), mask);
  const mixed = tf.transpose(tf.matMul(tf.softmax(scores), value), [0, 2, 1, 3]);
  return linear(tf.reshape(mixed, [batch * length, -1]), part('self_attn.o_proj'));
}

/** Rotary position embeddings: the halves of each head turn by an angle of position and frequency. */
function rotate(x: tf.Tensor): tf.Tensor {
  const [, , length, size] = x.shape as number[];
  const half = size / 2;
  const frequencies = Array.from({length: half}, (_, i) => ROPE_THETA ** (-i / half));
  const angles = Array.from({length}, (_, t) => [...frequencies, ...frequencies].map((f) => t * f));
  const [first, second] = tf.split(x, 2, -1);
  const turned = tf.concat([tf.neg(second), first], -1);
  return tf.add(tf.mul(x, tf.cos(angles)), tf.mul(turned, tf.sin(angles)));
}

/** Every expert on every token, weighted by 0 where the router did not choose it. */
function experts(part: Weight, x: tf.Tensor2D, routerScores: tf.Tensor2D[]): tf.Tensor {
  const scores = tf.softmax(linear(x, part('block_sparse_moe.gate')));
  routerScores.push(scores);
  const chosen = tf.mul(scores, chosenExperts(scores));
  const weights = tf.div(chosen, tf.sum(chosen, -1, true));
  return tf.addN(
    Array.from({length: EXPERTS}, (_, i) => {
      const of = (name: string) => part(`block_sparse_moe.experts.${i}.${name}`);
      const gate = linear(x, of('w1'));
      const hidden = tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear(x, of('w3')));
      return tf.mul(linear(hidden, of('w2')), tf.slice(weights, [0, i], [-1, 1]));
    }),
  );
}

/** 1 for the experts of each token, [T, E]; not differentiable. */
function chosenExperts(scores: tf.Tensor2D): tf.Tensor2D {
  const {indices} = tf.topk(stopGradient(scores), TOP_K);
  return stopGradient(tf.sum(tf.oneHot(indices.toInt(), EXPERTS).toFloat(), 1)) as tf.Tensor2D;
}

function loadBalancingLoss(scores: tf.Tensor2D): tf.Scalar {
  const tokensPerExpert = tf.mean(chosenExperts(scores), 0);
  return tf.mul(tf.sum(tf.mul(tokensPerExpert, tf.mean(scores, 0))), EXPERTS);
}
