import {div, reshape, slice, softmax, type Tensor, tensor2d, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {assert, assertCount} from '../src/asserts';
import {randomNumbers} from '../src/random';

export interface GenerateOptions {
  /** How many tokens to add. Default 64. */
  maxNewTokens?: number;
  /** Divides the logits: below 1 is bolder, above 1 wilder; 0 is greedy. Default 1. */
  temperature?: number;
  /** Draws from the k likeliest tokens only. Default: all. */
  topK?: number;
  /** Draws from the likeliest tokens that together reach this probability only. Default 1: all. */
  topP?: number;
  /** A token that ends the text; it is not returned. */
  endToken?: number;
  /** The same seed gives the same text. Default: another every time. */
  seed?: number;
  /** Is shown every token as it comes. */
  onToken?: (token: number) => void;
}

/**
 * Continues a text, a token at a time, each drawn from what the model predicts after those before.
 *
 * ```js
 * const ids = await generate(model, tokenizer.encode('Call me'), {temperature: 0.8, topP: 0.95});
 * ```
 *
 * The model sees the last T tokens. Every step computes them all anew, in one static shape.
 *
 * @param model From ids [1, T] to logits [1, T, V], as `languageModel` builds.
 * @param prompt Token ids to continue, at least one.
 * @returns The new tokens, without the prompt.
 * @throws If the prompt is empty or has ids that the model does not know, or an option is out of
 *     range.
 */
export async function generate(
  model: LayersModel,
  prompt: readonly number[],
  options: GenerateOptions = {},
): Promise<number[]> {
  const {maxNewTokens = 64, endToken, seed, onToken} = options;
  const length = model.inputs[0].shape[1]!;
  checkOptions(options);
  assert(prompt.length > 0, () => 'generate: prompt must have at least one token, got none');

  const vocabSize = model.outputs[0].shape.at(-1);
  const max = vocabSize == null ? undefined : vocabSize - 1;
  prompt.forEach((id) => assertCount('generate', 'prompt', id, {min: 0, max}));

  const random = randomNumbers(seed);
  const ids = [...prompt];
  for (let i = 0; i < maxNewTokens; i++) {
    const probabilities = await predictNext(model, ids.slice(-length), length, options.temperature);
    const token = draw(probabilities, options, random);
    if (token === endToken) {
      break;
    }
    ids.push(token);
    onToken?.(token);
  }
  return ids.slice(prompt.length);
}

/** The probabilities of the next token, in the order of the vocabulary. */
async function predictNext(
  model: LayersModel,
  context: readonly number[],
  length: number,
  temperature = 1,
): Promise<Float32Array> {
  const probabilities = tidy(() => {
    // Padding comes after the context, where causal attention does not see it.
    const padded = [...context, ...Array<number>(length - context.length).fill(0)];
    const logits = model.predict(tensor2d([padded], [1, length], 'int32')) as Tensor;
    const next = reshape(slice(logits, [0, context.length - 1, 0], [1, 1, -1]), [-1]);
    return softmax(temperature > 0 ? div(next, temperature) : next);
  });
  const values = (await probabilities.data()) as Float32Array;
  probabilities.dispose();
  return values;
}

/** Draws a token among those that topK and topP leave; the likeliest where temperature is 0. */
function draw(
  probabilities: Float32Array,
  {temperature = 1, topK = probabilities.length, topP = 1}: GenerateOptions,
  random: () => number,
): number {
  const ranked = Array.from(probabilities.keys()).sort(
    (x, y) => probabilities[y] - probabilities[x] || x - y,
  );
  if (temperature === 0) {
    return ranked[0];
  }
  const kept: number[] = [];
  let total = 0;
  for (const token of ranked.slice(0, topK)) {
    kept.push(token);
    total += probabilities[token];
    if (total >= topP) {
      break;
    }
  }
  let rest = random() * total;
  return kept.find((token) => (rest -= probabilities[token]) < 0) ?? kept[0];
}

function checkOptions({maxNewTokens, temperature, topK, topP}: GenerateOptions) {
  if (maxNewTokens != null) {
    assertCount('generate', 'maxNewTokens', maxNewTokens, {min: 0});
  }
  assert(
    temperature == null || (temperature >= 0 && temperature < Infinity),
    () => `generate: temperature must be a number of at least 0, got ${temperature}`,
  );
  if (topK != null) {
    assertCount('generate', 'topK', topK, {min: 1});
  }
  assert(
    topP == null || (topP > 0 && topP <= 1),
    () => `generate: topP must be above 0 and at most 1, got ${topP}`,
  );
}
