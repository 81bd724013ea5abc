import {dispose, tensor2d} from '@tensorflow/tfjs-core';
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {expertChoices} from '../../../layers/expert_choices';
import {generate} from '../../../models/generate';
import {languageModel} from '../../../models/language_model';
import type {BytePairEncoding} from '../../../training/byte_pair_encoding';
import {AdamWOptimizer} from '../../../training/optimizers/adamw';
import {ADAMW, warmUpAndCosine} from '../../../training/short_run';
import {encodeSafetensors, type HostTensor} from '../../../training/safetensors';
import type {Run} from '../run';
import {modelConfig, SIZES, WARMUP} from '../settings';
import type {RunFiles} from './run_files';
import type {TokenChoices, WritingOptions} from './trainer_api';

/** A run with its model on the backend. */
export class LoadedRun {
  readonly model: LayersModel;
  readonly optimizer: AdamWOptimizer;

  constructor(
    readonly run: Run,
    readonly backendName: string,
    readonly files: RunFiles,
    readonly tokenizer: BytePairEncoding,
  ) {
    const {settings} = run;
    this.model = languageModel(modelConfig(settings, tokenizer.vocabSize));
    const learningRate = warmUpAndCosine(settings.steps, settings.learningRate, WARMUP);
    this.optimizer = new AdamWOptimizer({learningRate, ...ADAMW});
  }

  dispose() {
    this.model.dispose();
    this.optimizer.dispose();
  }

  /** Continues a text, and tells of it token by token. */
  async write(
    prompt: string,
    options: WritingOptions,
    onText: (text: string) => void,
  ): Promise<string> {
    const {tokenizer} = this;
    const start = tokenizer.encode(prompt);
    const ids: number[] = [];
    await generate(this.model, start.length > 0 ? [...start] : [tokenizer.endOfText], {
      ...options,
      topP: 0.95,
      endToken: tokenizer.endOfText,
      onToken: (id) => {
        ids.push(id);
        onText(tokenizer.decode(ids));
      },
    });
    return tokenizer.decode(ids);
  }

  /** Which experts the tokens of a text go to; of a longer text, those that fit into a sequence. */
  async chooseExperts(text: string): Promise<TokenChoices> {
    const {sequence} = SIZES[this.run.settings.size];
    const ids = this.tokenizer.encode(text).slice(0, sequence);
    const padded = new Int32Array(sequence);
    padded.set(ids);
    const x = tensor2d(padded, [1, sequence], 'int32');
    const choices = expertChoices(this.model, x);
    try {
      const layers = await Promise.all(
        choices.map(async ({experts}) => {
          const rows = await experts.array();
          return {experts: rows.slice(0, ids.length)};
        }),
      );
      return {tokens: tokenTexts(this.tokenizer, ids), layers};
    } finally {
      dispose([x, ...choices.map(({experts}) => experts)]);
    }
  }

  /** The weights by their names, as a safetensors file. */
  async weights(): Promise<Blob> {
    const tensors = new Map<string, HostTensor>();
    for (const weight of this.model.weights) {
      const values = (await weight.read().data()) as Float32Array;
      tensors.set(weight.originalName, {shape: weight.shape as number[], values: values.slice()});
    }
    const {settings} = this.run;
    const config = JSON.stringify(modelConfig(settings, this.tokenizer.vocabSize));
    return new Blob(encodeSafetensors({tensors, metadata: {config}}) as BlobPart[]);
  }
}

/** The text of each token; a character that is cut in two goes with the token that completes it. */
function tokenTexts(tokenizer: BytePairEncoding, ids: Int32Array): string[] {
  let before = '';
  return Array.from(ids, (_, i) => {
    const all = tokenizer.decode(ids.subarray(0, i + 1)).replace(/\uFFFD+$/, '');
    const text = all.slice(before.length);
    before = all.length > before.length ? all : before;
    return text;
  });
}
