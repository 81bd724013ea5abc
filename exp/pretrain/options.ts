import {Command} from 'commander';
import {BACKENDS} from '../../training/backend';
import {DECAY_STYLES} from '../../training/learning_rate_schedule';
import {TOKENIZER_TYPES, type TokenizerType} from '../../training/tokenizer_files';
import {count, createOption, number, type Row} from '../command_line/option_rows';

/** The optimizers, by Megatron-LM's names. */
const OPTIMIZERS = ['adam', 'adafactor'] as const;

/** All options of a run, by Megatron-LM's names and with its defaults. */
export interface Options {
  numLayers: number;
  hiddenSize: number;
  ffnHiddenSize?: number;
  numAttentionHeads: number;
  seqLength: number;
  maxPositionEmbeddings?: number;
  makeVocabSizeDivisibleBy: number;
  initMethodStd: number;

  moeNumExperts?: number;
  moeCapacityFactor: number;
  moeTopK: number;
  moeLossWeight: number;
  moeZlossWeight: number;
  moeJitterEps?: number;
  moeLblInFp32: boolean;
  glu: boolean;

  microBatchSize: number;
  globalBatchSize?: number;
  trainIters: number;
  optimizer: (typeof OPTIMIZERS)[number];
  lr: number;
  minLr: number;
  lrDecayStyle: (typeof DECAY_STYLES)[number];
  lrDecayIters?: number;
  lrWarmupFraction?: number;
  lrWarmupIters: number;
  weightDecay: number;
  adamBeta1: number;
  adamBeta2: number;
  adamEps: number;
  clipGrad: number;
  seed: number;

  dataPath: string[];
  split: string;
  tokenizerType?: TokenizerType;
  vocabFile?: string;
  mergeFile?: string;
  tokenizerModel?: string;
  dataCachePath?: string;

  save: string;
  saveInterval: number;
  keepCheckpoints: number;
  evalInterval: number;
  evalIters: number;
  logInterval: number;

  fp16: boolean;
  bf16: boolean;
  backend: string;
  allowSoftware: boolean;
  smoke: boolean;
}

/** Options that say how Megatron-LM computes on several GPUs, or by which kernels: they change nothing here. */
const WITHOUT_EFFECT = [
  'DDPImpl',
  'moeExpertModelParallelism',
  'asyncTensorModelParallelAllreduce',
  'useFlashAttn',
];

const EXPERTS = 'Mixture of experts:';

const OPTIONS: Record<string, Row[]> = {
  'Model:': [
    ['--num-layers <n>', 'blocks', count(1)],
    ['--hidden-size <n>', 'hidden size', count(1)],
    [
      '--ffn-hidden-size <n>',
      'of the feed-forward or an expert (default: 4 hidden sizes)',
      count(1),
    ],
    ['--num-attention-heads <n>', 'attention heads', count(1)],
    ['--seq-length <n>', 'tokens in a sequence', count(1)],
    ['--max-position-embeddings <n>', 'positions, as many as tokens (default: as many)', count(1)],
    [
      '--make-vocab-size-divisible-by <n>',
      'the vocabulary is padded to a multiple of it',
      {...count(1), default: 128},
    ],
    [
      '--init-method-std <x>',
      'standard deviation of the weights at the start',
      {...number(0), default: 0.02},
    ],
  ],
  [EXPERTS]: [
    ['--moe-num-experts <n>', 'experts in each block (default: a dense model)', count(1)],
    [
      '--moe-capacity-factor <x>',
      "of the experts' slots; 0 drops no token: a dMoE",
      {...number(0), default: 0},
    ],
    ['--moe-top-k <n>', 'experts that each token goes to', {...count(1), default: 1}],
    ['--moe-loss-weight <x>', 'of the load-balancing loss', {...number(0), default: 0.1}],
    ['--moe-zloss-weight <x>', 'of the router z-loss', {...number(0), default: 0}],
    ['--moe-jitter-eps <x>', "noise of the router's input", number(0, 1)],
    ['--moe-lbl-in-fp32 [bool]', 'the load-balancing loss in float32, as everything is here'],
    ['--glu', 'gated experts'],
  ],
  'Training:': [
    ['--micro-batch-size <n>', 'sequences that are computed at once', count(1)],
    ['--global-batch-size <n>', 'sequences in a step (default: a micro-batch)', count(1)],
    ['--train-iters <n>', 'steps', count(1)],
    ['--optimizer <name>', 'the optimizer', {choices: OPTIMIZERS, default: OPTIMIZERS[0]}],
    ['--lr <x>', 'highest learning rate', number(0)],
    ['--min-lr <x>', 'lowest learning rate of the decay', {...number(0), default: 0}],
    ['--lr-decay-style <name>', 'the decay', {choices: DECAY_STYLES, default: 'linear'}],
    ['--lr-decay-iters <n>', 'steps of the decay (default: all)', count(1)],
    ['--lr-warmup-fraction <x>', 'part of them in which the learning rate rises', number(0, 1)],
    ['--lr-warmup-iters <n>', 'steps in which it rises', {...count(0), default: 0}],
    ['--weight-decay <x>', 'decoupled, of matrices alone', {...number(0), default: 0.01}],
    ['--adam-beta1 <x>', 'decay of the first moment', {...number(0, 1), default: 0.9}],
    ['--adam-beta2 <x>', 'decay of the second', {...number(0, 1), default: 0.999}],
    ['--adam-eps <x>', 'added to its root', {...number(0), default: 1e-8}],
    ['--clip-grad <x>', 'the largest norm of the gradients; 0 for any', {...number(0), default: 1}],
    ['--seed <n>', 'the same seed gives the same run', {...count(0), default: 1234}],
  ],
  'Data:': [
    ['--data-path <weight-or-prefix...>', 'data sets, with a weight before each or none'],
    ['--split <text>', 'parts for training, validation and test', {default: '969,30,1'}],
    [
      '--tokenizer-type <name>',
      'the tokenizer that the data sets were made with (default: they say it)',
      {choices: TOKENIZER_TYPES},
    ],
    ['--vocab-file <path>', "GPT-2's vocab.json"],
    ['--merge-file <path>', "GPT-2's merges.txt"],
    ['--tokenizer-model <path>', 'the tokenizer.json of a HuggingFaceTokenizer'],
    [
      '--data-cache-path <folder>',
      "where the samples' order is kept for other runs (default: cache/, beside the first data set)",
    ],
  ],
  'Results:': [
    ['--save <folder>', 'where checkpoints, logs and the report go'],
    ['--save-interval <n>', 'steps from one checkpoint to the next', {...count(1), default: 1000}],
    ['--keep-checkpoints <n>', 'that are kept, beside the best', {...count(1), default: 2}],
    ['--eval-interval <n>', 'steps from one validation to the next', {...count(1), default: 1000}],
    [
      '--eval-iters <n>',
      'batches of a validation, and of the test at the end, of the size of a step; 0 for none',
      {...count(0), default: 100},
    ],
    [
      '--log-interval <n>',
      "steps from one look at the experts' load to the next",
      {...count(1), default: 100},
    ],
  ],
  'Computing:': [
    ['--fp16', 'products in half precision where the backend has it'],
    ['--bf16', 'the same: there is one half precision'],
    [
      '--backend <name>',
      "where to compute; 'auto' is the fastest that starts, tensorflow aside",
      {choices: BACKENDS, default: BACKENDS[0]},
    ],
    ['--allow-software', 'let webgpu be software, such as SwiftShader'],
    ['--smoke', 'try it: two steps of the same model at a fraction of its width'],
    ['--DDP-impl <name>', 'no effect here', {choices: ['local', 'torch']}],
    ['--moe-expert-model-parallelism', 'no effect here'],
    ['--no-async-tensor-model-parallel-allreduce', 'no effect here'],
    ['--use-flash-attn', 'no effect here: attention is always one kernel'],
  ],
};

/** Options that have no default. */
const REQUIRED = [
  'numLayers',
  'hiddenSize',
  'numAttentionHeads',
  'seqLength',
  'microBatchSize',
  'trainIters',
  'lr',
  'dataPath',
  'save',
] as const satisfies readonly (keyof Options)[];

/**
 * Reads the options of the command line. Options that are not known are refused.
 *
 * @throws CommanderError, after printing why or the help, where the arguments end the program.
 */
export function parseOptions(args: readonly string[]): Options {
  const command = createCommand();
  command.parse(args, {from: 'user'});
  const options = command.opts<Options>();
  const missing = REQUIRED.find((name) => options[name] == null);
  const problem = missing == null ? findConflict(options) : `${flag(missing)} must be given`;
  if (problem != null) {
    command.error(`error: ${problem}`);
  }
  return options;
}

/** Of options that were given, those that change nothing here: those of experts, where there are none, too. */
export function withoutEffect(args: readonly string[]): string[] {
  const command = createCommand();
  command.parse(args, {from: 'user'});
  const isDense = command.getOptionValue('moeNumExperts') == null;
  return command.options
    .filter(
      (option) =>
        WITHOUT_EFFECT.includes(option.attributeName()) ||
        (isDense && option.helpGroupHeading === EXPERTS),
    )
    .filter((option) => command.getOptionValueSource(option.attributeName()) === 'cli')
    .map(({long}) => long!);
}

function createCommand(): Command {
  const command = new Command('npm run pretrain --')
    .usage('--save <folder> --data-path <prefix> [options]')
    .description(
      "Trains a GPT with dense layers or experts, by Megatron-LM's options. The same command goes on " +
        'with a run that was interrupted.',
    )
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(npm run pretrain -- --help lists all options)')
    .allowExcessArguments(false)
    .exitOverride();
  for (const [heading, rows] of Object.entries(OPTIONS)) {
    rows.forEach((row) => command.addOption(createOption(row).helpGroup(heading)));
  }
  return command;
}

/** An option as it is written. */
function flag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** What is wrong between options that are right each for itself. */
function findConflict(options: Options): string | undefined {
  const {hiddenSize, numAttentionHeads, seqLength, maxPositionEmbeddings} = options;
  const {moeTopK, moeNumExperts, microBatchSize, globalBatchSize, minLr, lr} = options;
  const {lrDecayIters = options.trainIters, lrWarmupIters} = options;
  if (hiddenSize % numAttentionHeads !== 0) {
    return `--num-attention-heads must divide --hidden-size, ${hiddenSize}, got ${numAttentionHeads}`;
  }
  if ((maxPositionEmbeddings ?? seqLength) !== seqLength) {
    return `--max-position-embeddings must be --seq-length, ${seqLength}, got ${maxPositionEmbeddings}`;
  }
  if (moeNumExperts != null && moeTopK > moeNumExperts) {
    return `--moe-top-k must be at most --moe-num-experts, ${moeNumExperts}, got ${moeTopK}`;
  }
  if (globalBatchSize != null && globalBatchSize % microBatchSize !== 0) {
    return `--micro-batch-size must divide --global-batch-size, ${globalBatchSize}, got ${microBatchSize}`;
  }
  if (minLr > lr) {
    return `--min-lr must be at most --lr, ${lr}, got ${minLr}`;
  }
  if (lrWarmupIters > lrDecayIters) {
    return `--lr-warmup-iters must be at most the steps of the decay, ${lrDecayIters}, got ${lrWarmupIters}`;
  }
  if (options.lrWarmupFraction != null && lrWarmupIters > 0) {
    return '--lr-warmup-fraction and --lr-warmup-iters must not both be given';
  }
  if (options.fp16 && options.bf16) {
    return '--fp16 and --bf16 must not both be given';
  }
  return undefined;
}
