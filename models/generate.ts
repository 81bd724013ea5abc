import {slice, type Tensor, tensor2d, tidy} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {beforeLogits} from '../layers/logits';
import {assert, assertCount, assertNumber, describe, showShape} from '../src/asserts';
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
 * @throws If the prompt is empty or has ids that the model does not know, if the model takes sequences of
 *     any length or gives logits that are not numbers, or an option is out of range.
 */
export async function generate(
  model: LayersModel,
  prompt: readonly number[],
  options: GenerateOptions = {},
): Promise<number[]> {
  const {maxNewTokens = 64, endToken, seed, onToken} = options;
  const length = model.inputs[0].shape[1];
  checkOptions(options);
  assert(
    length != null,
    () =>
      `generate: model must take sequences of a static length, got ${showShape(model.inputs[0].shape)}`,
  );
  assert(prompt.length > 0, () => 'generate: prompt must have at least one token, got none');

  const vocabSize = beforeLogits(model.outputs[0]).shape.at(-1);
  const lastId = vocabSize == null ? undefined : vocabSize - 1;
  prompt.forEach((id) => assertCount('generate', 'prompt', id, {min: 0, max: lastId}));

  const random = randomNumbers(seed);
  const ids = [...prompt];
  for (let i = 0; i < maxNewTokens; i++) {
    const logits = await nextLogits(model, ids.slice(-length), length);
    const token = draw(logits, options, random);
    if (token === endToken) {
      break;
    }
    ids.push(token);
    onToken?.(token);
  }
  return ids.slice(prompt.length);
}

/** The logits of the next token, in the order of the vocabulary. */
async function nextLogits(
  model: LayersModel,
  context: readonly number[],
  length: number,
): Promise<Float32Array> {
  const logits = tidy(() => {
    // Padding comes after the context, where causal attention does not see it.
    const padded = [...context, ...Array<number>(length - context.length).fill(0)];
    const logits = model.predict(tensor2d([padded], [1, length], 'int32')) as Tensor;
    return slice(logits, [0, context.length - 1, 0], [1, 1, -1]);
  });
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  return values;
}

/** Draws a token among those that topK and topP leave; the likeliest where temperature is 0. */
function draw(
  logits: Float32Array,
  {temperature = 1, topK = logits.length, topP = 1}: GenerateOptions,
  random: () => number,
): number {
  // Math.max keeps NaN.
  const largest = logits.reduce((x, y) => Math.max(x, y), -Infinity);
  assert(
    Number.isFinite(largest),
    () => `generate: the largest of the model's logits must be a finite number, got ${largest}`,
  );
  if (temperature === 0) {
    return logits.indexOf(largest);
  }
  const weights = Float64Array.from(logits, (x) => Math.exp((x - largest) / temperature));
  const enough = topP * weights.reduce((x, y) => x + y);
  const ranked = Array.from(weights.keys()).sort((x, y) => weights[y] - weights[x] || x - y);
  const kept: number[] = [];
  let total = 0;
  for (const token of ranked.slice(0, topK)) {
    kept.push(token);
    total += weights[token];
    if (total >= enough) {
      break;
    }
  }
  let rest = random() * total;
  return kept.find((token) => (rest -= weights[token]) < 0) ?? kept[0];
}

function checkOptions({maxNewTokens, temperature, topK, topP}: GenerateOptions) {
  if (maxNewTokens != null) {
    assertCount('generate', 'maxNewTokens', maxNewTokens, {min: 0});
  }
  if (temperature != null) {
    assertNumber('generate', 'temperature', temperature, {min: 0});
  }
  if (topK != null) {
    assertCount('generate', 'topK', topK, {min: 1});
  }
  assert(
    topP == null || (typeof topP === 'number' && topP > 0 && topP <= 1),
    () => `generate: topP must be above 0 and at most 1, got ${describe(topP)}`,
  );
}
