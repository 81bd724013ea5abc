import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {trainBytePairEncoding} from '../training/byte_pair_encoding';
import type {Tokenizer} from '../training/encode_documents';
import {listInputs} from '../training/preprocess/input';
import {preprocess, type PreprocessOptions} from '../training/preprocess/preprocess';
import {createInlineRunner, type TaskRunner} from '../training/preprocess/task_runner';
import {loadTextData} from '../training/text_data';
import {loadTokenizer, type TokenizerFiles} from '../training/tokenizer_files';
import type {Benchmark, Comparison} from './harness';

/** Speeches, several times: what only begins the work should not show. */
const DOCUMENTS = 720;
const LEARNED = 2048;
const TO_LEARN_FROM = 50;

async function loadTexts(): Promise<string[]> {
  const speeches = await loadTextData('sotu');
  return Array.from({length: DOCUMENTS}, (_, i) => speeches[i % speeches.length].text);
}

/** All of `preprocess`, from lines of JSON to a data set, beside its tokenizer alone, on one core. */
function comparison(
  name: string,
  write: (texts: string[], folder: string) => TokenizerFiles,
): Comparison {
  const folder = mkdtempSync(join(tmpdir(), 'preprocess-bench-'));
  process.once('exit', () => rmSync(folder, {recursive: true, force: true}));
  let ready: Promise<{
    texts: string[];
    tokenizer: Tokenizer;
    options: PreprocessOptions;
    runner: TaskRunner;
  }>;
  const prepare = async () => {
    const texts = await loadTexts();
    const path = join(folder, 'texts.jsonl');
    writeFileSync(path, texts.map((text) => `${JSON.stringify({text})}\n`).join(''));
    const config = write(texts, folder);
    const options = {
      ...{inputs: listInputs([path]), outputPrefix: join(folder, 'out'), jsonKeys: ['text']},
      ...{splitSentences: false, appendEod: true, tokenizer: config},
    };
    // Both tokenizers have seen the words from the second run on.
    const runner = await createInlineRunner(options);
    return {texts, tokenizer: await loadTokenizer(config), options, runner};
  };
  return {
    title: `preprocess, ${name}`,
    shapes: {documents: DOCUMENTS},
    contenders: {
      'tokenizer alone': async () => {
        const {texts, tokenizer} = await (ready ??= prepare());
        texts.forEach((text) => tokenizer.encode(text));
      },
      preprocess: async () => {
        const {options, runner} = await (ready ??= prepare());
        const {prefixes} = await preprocess(options, runner);
        prefixes
          .flatMap((prefix) => ['bin', 'idx', 'json'].map((ending) => `${prefix}.${ending}`))
          .forEach((file) => rmSync(file));
      },
    },
    highlights: ['preprocess'],
  };
}

export const benchmark: Benchmark = {
  name: 'preprocess',
  needsNode: true,
  description: 'data sets made of lines of JSON, beside the tokenizer alone',
  comparisons: [
    () => comparison("GPT-2's tokenizer", () => ({type: 'GPT2BPETokenizer'})),
    () =>
      comparison('a tokenizer.json', (texts, folder) => {
        const model = join(folder, 'tokenizer.json');
        writeFileSync(
          model,
          JSON.stringify(trainBytePairEncoding(texts.slice(0, TO_LEARN_FROM), LEARNED)),
        );
        return {type: 'HuggingFaceTokenizer', model};
      }),
  ],
};
