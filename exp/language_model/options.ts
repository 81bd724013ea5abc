import {Command, InvalidArgumentError, Option} from 'commander';
import {count, createOption, number, type Row} from '../command_line/option_rows';
import type {Precision} from '../../src/kernel_names';
import {PRECISIONS} from '../../src/webgpu';
import {BACKENDS} from '../../training/backend';
import {
  DEFAULT_PRESET,
  type PresetName,
  PRESETS,
  type Sizes,
  type TokenizerName,
  TOKENIZERS,
} from './presets';

/** The models that a run can train. */
export const MODEL_KINDS = ['dmoe', 'dense', 'moe'] as const;
export type ModelKind = (typeof MODEL_KINDS)[number];

/** All options of a run. */
export interface Options extends Sizes {
  data: string;
  preset: PresetName;
  tokenizer: TokenizerName;
  models: ModelKind[];
  seed: number;
  backend: string;
  precision: Precision;
  allowSoftware: boolean;
  loadEvery: number;
  /** Minutes; no limit where it is not given. */
  timeBudget?: number;
  /** A folder under runs/, named after the data and the configuration, where it is not given. */
  out?: string;
  fresh: boolean;
  prompt?: string;
  sampleTokens: number;
  temperature: number;
}

/**
 * Reads the options of the command line; a preset gives those that are not there.
 *
 * @throws CommanderError, after printing why or the help, where the arguments end the program.
 */
export function parseOptions(args: readonly string[]): Options {
  const command = createCommand();
  command.parse(args, {from: 'user'});
  const given = command.opts<Partial<Options> & {preset: PresetName}>();
  const options = {
    fresh: false,
    allowSoftware: false,
    ...PRESETS[given.preset],
    ...given,
  } as Options;
  const problem = findConflict(options);
  if (problem != null) {
    command.error(`error: ${problem}`);
  }
  return options;
}

/** Every option, under the headings of the help. Where no default stands, the preset has it. */
const OPTIONS: Record<string, Row[]> = {
  'Text:': [
    [
      '--data <name>',
      "'moby-dick', 'sotu' (State of the Union) or a folder of text",
      {default: 'moby-dick'},
    ],
    [
      '--tokenizer <name>',
      "'bpe' learns one from the text, 'gpt2' is GPT-2's",
      {choices: TOKENIZERS},
    ],
    ['--vocab <n>', "tokens in the vocabulary; GPT-2's has at least 50257", count(257)],
  ],
  'Model:': [
    [
      '--preset <name>',
      "sizes: 'mini', or the paper's",
      {choices: Object.keys(PRESETS), default: DEFAULT_PRESET},
    ],
    [
      '--models <list>',
      `which to train, one after the other, of ${MODEL_KINDS.join(', ')}`,
      {parse: parseModelKinds, default: ['dmoe', 'dense'], defaultText: 'dmoe,dense'},
    ],
    ['--layers <n>', 'blocks', count(1)],
    ['--hidden <n>', 'hidden size', count(1)],
    ['--heads <n>', 'attention heads', count(1)],
    ['--init-std <x>', 'standard deviation of the weights at the start', number(0)],
    ['--ffn <n>', 'hidden size of an expert', count(1)],
    ['--sequence <n>', 'tokens in a sequence', count(1)],
    ['--experts <n>', 'experts in each block', count(1)],
    ['--top-k <n>', 'experts that each token goes to', count(1)],
    ['--capacity-factor <x>', "of the experts of 'moe'; 0 drops no token", number(0)],
    [
      '--normalize <p>',
      "p-norm that divides the weights of a token's experts; 0 for none",
      number(0),
    ],
    ['--loss-weight <x>', 'weight of the load-balancing loss', number(0)],
  ],
  'Training:': [
    ['--steps <n>', 'steps of each model', count(1)],
    ['--batch <n>', 'sequences in a batch', count(1)],
    ['--lr <x>', 'highest learning rate', number(0)],
    ['--warmup <x>', 'part of the steps in which the learning rate rises', number(0, 1)],
    ['--seed <n>', 'the same seed gives the same run', {...count(0), default: 0}],
    [
      '--backend <name>',
      "where to compute; 'auto' is the fastest that starts, tensorflow aside",
      {choices: BACKENDS, default: BACKENDS[0]},
    ],
    [
      '--precision <name>',
      'how products multiply on a GPU; float16 is bfloat16 on tensorflow',
      {choices: PRECISIONS, default: PRECISIONS[0]},
    ],
    ['--allow-software', 'let webgpu be software, such as SwiftShader'],
    ['--time-budget <minutes>', 'end the training after so long, all models together', number(0)],
  ],
  'Results:': [
    ['--out <folder>', 'where they go (default: in runs/, by data and configuration)'],
    ['--fresh', 'begin anew where there is an earlier run (default: go on with it)'],
    ['--save-every <n>', 'steps from one checkpoint to the next', count(1)],
    ['--eval-every <n>', 'steps from one validation to the next', count(1)],
    ['--eval-batches <n>', 'batches of a validation on the way', count(1)],
    [
      '--load-every <n>',
      "steps from one look at the experts' load to the next",
      {...count(1), default: 10},
    ],
    [
      '--prompt <text>',
      'what the samples go on from (default: depends on the data)',
      {parse: parsePrompt},
    ],
    ['--sample-tokens <n>', 'tokens of each sample', {...count(0), default: 60}],
    [
      '--temperature <x>',
      'how freely samples are drawn; 0 takes the likeliest',
      {...number(0), default: 0.8},
    ],
  ],
};

function createCommand(): Command {
  const command = new Command('npm start --')
    .usage('[options]')
    .description(
      'Trains a language model with a dropless mixture of experts, and a dense one of the same ' +
        'FLOPs a token, on English text. The same command goes on with a run that was interrupted.',
    )
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(npm start -- --help lists all options)')
    .exitOverride();
  for (const [heading, rows] of Object.entries(OPTIONS)) {
    rows.forEach((row) => command.addOption(createOption(describePreset(row)).helpGroup(heading)));
  }
  return command;
}

/** The help says what the default preset has. */
function describePreset([flags, description, reading]: Row): Row {
  const name = new Option(flags).attributeName();
  const ofPreset = ({...PRESETS[DEFAULT_PRESET]} as Record<string, unknown>)[name];
  return ofPreset == null
    ? [flags, description, reading]
    : [flags, `${description} (${DEFAULT_PRESET}: ${ofPreset})`, reading];
}

function parseModelKinds(text: string): ModelKind[] {
  const kinds = text.split(',').map((kind) => kind.trim());
  const known = kinds.every((kind) => (MODEL_KINDS as readonly string[]).includes(kind));
  if (!known || new Set(kinds).size < kinds.length) {
    throw new InvalidArgumentError(
      `It must be some of ${MODEL_KINDS.join(', ')}, each once, with commas between them.`,
    );
  }
  return kinds as ModelKind[];
}

function parsePrompt(text: string): string {
  if (text === '') {
    throw new InvalidArgumentError('It must not be empty.');
  }
  return text;
}

/** What is wrong between options that are right each for itself. */
function findConflict({hidden, heads, experts, topK}: Options): string | undefined {
  if (hidden % heads !== 0) {
    return `--heads must divide --hidden, ${hidden}, got ${heads}`;
  }
  if (topK > experts) {
    return `--top-k must be at most --experts, ${experts}, got ${topK}`;
  }
  return undefined;
}
