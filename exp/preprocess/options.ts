import {Command} from 'commander';
import {availableParallelism} from 'node:os';
import {INPUT_FORMATS, type InputFormat} from '../../training/preprocess/input';
import {TOKENIZER_TYPES, type TokenizerType} from '../../training/tokenizer_files';
import {count, createOption, type Row} from '../command_line/option_rows';

/** All options of the command; their names are those of Megatron-LM's tool. */
export interface Options {
  input: string[];
  inputFormat?: InputFormat;
  jsonKeys: string[];
  splitSentences: boolean;
  outputPrefix: string;
  fresh: boolean;
  tokenizerType: TokenizerType;
  vocabFile?: string;
  mergeFile?: string;
  tokenizerModel?: string;
  learnVocab?: number;
  eodToken?: string;
  appendEod: boolean;
  workers: number;
}

const OPTIONS: Record<string, Row[]> = {
  'Text:': [
    [
      '--input <path...>',
      "JSONL or text files, folders of them, or '-' for the standard input; a text file is a document",
    ],
    [
      '--input-format <name>',
      'of all files (default: JSONL by the name .jsonl, .ndjson or .json, else text)',
      {choices: INPUT_FORMATS},
    ],
    [
      '--json-keys <key...>',
      'fields of a line that have text; each becomes a data set',
      {default: ['text'], defaultText: 'text'},
    ],
    ['--split-sentences', 'make a sequence of each sentence, not of each document'],
  ],
  'Data set:': [
    ['--output-prefix <path>', 'what its files are called, before _text_document.bin and .idx'],
    ['--fresh', 'begin anew where earlier work was interrupted (default: go on with it)'],
  ],
  'Tokens:': [
    [
      '--tokenizer-type <name>',
      "GPT-2's, or any tokenizer.json",
      {choices: TOKENIZER_TYPES, default: TOKENIZER_TYPES[0]},
    ],
    ['--vocab-file <path>', "GPT-2's vocab.json (default: that of a package)"],
    ['--merge-file <path>', "GPT-2's merges.txt"],
    ['--tokenizer-model <path>', 'the tokenizer.json of a HuggingFaceTokenizer'],
    [
      '--learn-vocab <n>',
      'learn a tokenizer of so many tokens from the text, and keep it beside the data set; one that is there is taken',
      count(257),
    ],
    ['--eod-token <text>', 'the token that ends a document (default: looked for)'],
    ['--append-eod', 'end every document with it'],
  ],
  'Work:': [
    [
      '--workers <n>',
      'threads that encode',
      {...count(1), default: availableParallelism(), defaultText: 'one a core'},
    ],
  ],
};

/**
 * Reads the options of the command line.
 *
 * @throws CommanderError, after printing why or the help, where the arguments end the program.
 */
export function parseOptions(args: readonly string[]): Options {
  const command = new Command('npm run preprocess --')
    .usage('--input <path...> --output-prefix <path> --append-eod [options]')
    .description(
      "Makes Megatron-LM's indexed data sets of text. The same command goes on with work that was " +
        'interrupted.',
    )
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(npm run preprocess -- --help lists all options)')
    .exitOverride();
  for (const [heading, rows] of Object.entries(OPTIONS)) {
    rows.forEach((row) => command.addOption(createOption(row).helpGroup(heading)));
  }
  command.parse(args, {from: 'user'});
  const options = command.opts<Options>();
  const problem = findProblem(options);
  if (problem != null) {
    command.error(`error: ${problem}`);
  }
  return {
    ...options,
    splitSentences: options.splitSentences ?? false,
    appendEod: options.appendEod ?? false,
    fresh: options.fresh ?? false,
  };
}

function findProblem(options: Partial<Options>): string | undefined {
  const {input, outputPrefix, tokenizerType, tokenizerModel, learnVocab, vocabFile} = options;
  const {eodToken} = options;
  if (input == null) {
    return '--input must name a file, got none';
  }
  if (outputPrefix == null) {
    return '--output-prefix must be a path, got none';
  }
  if (learnVocab != null && (tokenizerModel ?? vocabFile) != null) {
    return '--learn-vocab makes a tokenizer: it must come without the files of another';
  }
  if (tokenizerType === 'HuggingFaceTokenizer' && tokenizerModel == null && learnVocab == null) {
    return '--tokenizer-model must be a tokenizer.json, got none';
  }
  if (learnVocab != null && eodToken != null) {
    return '--learn-vocab makes a tokenizer with its own end of a document: it must come without --eod-token';
  }
  if (learnVocab != null && input.includes('-')) {
    return "--learn-vocab reads the text twice: --input must not be '-', the standard input";
  }
  return undefined;
}
