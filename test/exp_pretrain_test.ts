import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {parseOptions, withoutEffect} from '../exp/pretrain/options';
import {modelConfig} from '../exp/pretrain/model';
import {createOptimizer} from '../exp/pretrain/optimizer';
import {run} from '../exp/pretrain/run';
import {smokeOptions} from '../exp/pretrain/smoke';
import {countParameters} from '../models/language_model';
import '../src/register';
import {GptLoader, type GptLoaderConfig} from '../training/data/gpt_loader';
import {IndexedDatasetWriter} from '../training/data/indexed_dataset_writer';
import {LoaderThread} from '../training/data/loader_thread';
import {MetricsLog, type MetricsRecord} from '../training/metrics_log';
import {RunFolder} from '../training/run_folder';
import {bundlePrograms} from './exp_programs';
import {signalAt} from './signal_at';

const root = join(__dirname, '..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pretrain-'));
});
afterEach(() => rmSync(folder, {recursive: true}));

/** A data set of 40 documents of 30 ids of GPT-2's vocabulary. */
function writeDataset(name = 'data'): string {
  const prefix = join(folder, name);
  const writer = IndexedDatasetWriter.create(prefix, 'uint16');
  for (let i = 0; i < 40; i++) {
    writer.add([Array.from({length: 30}, (_, j) => (i * 31 + j * 7) % 50257)]);
  }
  writer.finish();
  return prefix;
}

describe('launch scripts', () => {
  const GPT2_VOCAB = 50257;
  const scripts = ['dmoe', 'gpt2', 'moe'].flatMap((kind) =>
    readdirSync(join(root, 'exp', kind)).map((name) => join(kind, name)),
  );

  /** The arguments with which a script starts `pretrain`. */
  function argumentsOf(script: string, ...given: string[]): string[] {
    const {status, stdout, stderr} = spawnSync('bash', [join(root, 'exp', script), ...given], {
      encoding: 'utf8',
      env: {...process.env, PRETRAIN: 'printf %s\\n', DATA_PATH: join(folder, 'data')},
    });
    expect({status, stderr}).toEqual({status: 0, stderr: ''});
    return stdout.trim().split('\n');
  }

  it('are those of MegaBlocks', () => {
    const gpt2 = ['125m', '1315m', '356m', '46m', '760m'].flatMap((size) => [
      `gpt2/gpt2_${size}_1gpu.sh`,
      `gpt2/gpt2_${size}_8gpu.sh`,
    ]);
    const dmoe = ['125m', '356m', '46m', '760m'].map((size) => `dmoe/dmoe_${size}_8gpu.sh`);
    const moe = ['125m', '356m', '46m'].map((size) => `moe/moe_${size}_8gpu.sh`);
    expect(scripts).toEqual([...dmoe, ...gpt2, ...moe]);
  });

  // Tables 1 and 2 of the paper, in millions; a dMoE of 760m is not among them.
  const PAPER: Record<string, number | undefined> = {
    ...{'46m': 46, '125m': 125, '356m': 356, '760m': 760, '1315m': 1316},
    ...{'46m-64e': 839, '125m-64e': 3693, '356m-64e': 13041, '760m-64e': undefined},
  };

  it.each(scripts)('%s takes two steps, and is of the size of the paper', async (script) => {
    writeDataset();
    const log = jest.spyOn(console, 'log').mockImplementation();
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const progress = jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
    let printed;
    try {
      const out = join(folder, 'out');
      const args = argumentsOf(script, out, '--smoke', '--backend', 'wasm');
      expect(await run(parseOptions(args))).toBe(0);
      printed = log.mock.calls.flat();
    } finally {
      [log, warn, progress].forEach((spy) => spy.mockRestore());
    }
    const size = /_(\d+m)_/.exec(basename(script))![1];
    const millions = PAPER[script.startsWith('gpt2') ? size : `${size}-64e`];
    const count = Number(/: ([\d,]+) parameters/.exec(printed[0])![1].replaceAll(',', ''));
    expect(Math.round(count / 1e6)).toBe(millions ?? 29300);
    expect(printed).toContain(
      'Not tested: the test part of --split 969,30,1 has 0 tokens, less than a sample',
    );
    const records = readFileSync(join(folder, 'out/smoke/metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const last = JSON.parse(records.at(-1)!);
    expect(last).toMatchObject({step: 2, validationLoss: expect.any(Number)});
    expect(readdirSync(join(folder, 'out/smoke'))).toContain('report.html');
  });

  it('take the arguments of MegaBlocks in their order', () => {
    const dmoe = parseOptions(
      argumentsOf('dmoe/dmoe_760m_8gpu.sh', 'out', '7', '8', '2', '0.5', '4'),
    );
    expect(dmoe).toMatchObject({
      ...{save: 'out', trainIters: 7, lrDecayIters: 7, moeNumExperts: 8, moeTopK: 2},
      ...{moeLossWeight: 0.5, microBatchSize: 4, globalBatchSize: 512, optimizer: 'adafactor'},
      ...{lr: 4e-4, minLr: 4e-5, initMethodStd: 0.01, fp16: true, lrWarmupFraction: 0.01},
    });
    const moe = parseOptions(argumentsOf('moe/moe_46m_8gpu.sh', 'out', '7', '8', '2', '1'));
    expect(moe).toMatchObject({
      moeNumExperts: 8,
      moeCapacityFactor: 2,
      moeTopK: 1,
      microBatchSize: 64,
    });
    expect(parseOptions(argumentsOf('moe/moe_46m_8gpu.sh', 'out')).moeCapacityFactor).toBe(1);
    const {initMethodStd} = parseOptions(argumentsOf('gpt2/gpt2_1315m_1gpu.sh', 'out'));
    expect(initMethodStd).toBe(0.02);
  });

  it('train on the Pile where nothing else is said', () => {
    const {stdout} = spawnSync('bash', [join(root, 'exp/gpt2/gpt2_46m_1gpu.sh'), 'out'], {
      encoding: 'utf8',
      env: {...process.env, PRETRAIN: 'printf %s\\n'},
    });
    const {dataPath} = parseOptions(stdout.trim().split('\n'));
    expect(dataPath.slice(0, 2)).toEqual(['1.0', '../pile_gpt2/01_text_document']);
    expect(dataPath.length).toBe(58);
  });

  it('train on all data sets of DATA_PATH, on one line or on several', () => {
    const {status, stdout} = spawnSync('bash', [join(root, 'exp/gpt2/gpt2_46m_1gpu.sh'), 'out'], {
      encoding: 'utf8',
      env: {...process.env, PRETRAIN: 'printf %s\\n', DATA_PATH: '0.3 a\n0.7 b  0.1 c\n'},
    });
    expect(status).toBe(0);
    const {dataPath} = parseOptions(stdout.trim().split('\n'));
    expect(dataPath).toEqual(['0.3', 'a', '0.7', 'b', '0.1', 'c']);
  });

  it('say how they are used', () => {
    const {status, stderr} = spawnSync('bash', [join(root, 'exp/gpt2/gpt2_46m_1gpu.sh')], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^usage: .*gpt2_46m_1gpu.sh EXP_DIR TRAINING_STEPS=100000 \[options\]/);
  });

  it('of a vocabulary of GPT-2 pad it to 51200', () => {
    const options = parseOptions(argumentsOf('gpt2/gpt2_46m_1gpu.sh', 'out'));
    expect(modelConfig(options, GPT2_VOCAB).vocabSize).toBe(51200);
    expect(countParameters(modelConfig(options, GPT2_VOCAB)).total).toBe(45654016);
  });
});

const TINY =
  '--num-layers 1 --hidden-size 8 --num-attention-heads 2 --seq-length 8 --max-position-embeddings 8 ' +
  '--micro-batch-size 2 --global-batch-size 4 --train-iters 12 --lr 0.01 --moe-num-experts 2 ' +
  '--eval-interval 6 --eval-iters 1 --save-interval 5 --split 8,1,1 --backend wasm';

describe('options of pretrain', () => {
  function parse(more: string) {
    const error = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    try {
      return parseOptions(`--save out --data-path data ${TINY} ${more}`.trim().split(' '));
    } finally {
      error.mockRestore();
    }
  }

  it.each([
    ['--tensor-model-parallel-size 2', "unknown option '--tensor-model-parallel-size'"],
    ['--num-attention-heads 3', '--num-attention-heads must divide --hidden-size, 8, got 3'],
    ['--max-position-embeddings 9', '--max-position-embeddings must be --seq-length, 8, got 9'],
    ['--moe-top-k 3', '--moe-top-k must be at most --moe-num-experts, 2, got 3'],
    ['--micro-batch-size 3', '--micro-batch-size must divide --global-batch-size, 4, got 3'],
    ['--min-lr 1', '--min-lr must be at most --lr, 0.01, got 1'],
    ['--fp16 --bf16', '--fp16 and --bf16 must not both be given'],
    ['--lr-decay-style step', 'Allowed choices are constant, linear, cosine, inverse-square-root'],
    ['--lr-warmup-fraction 0.1 --lr-warmup-iters 2', 'must not both be given'],
    [
      '--lr-warmup-iters 13',
      '--lr-warmup-iters must be at most the steps of the decay, 12, got 13',
    ],
    ['--train-iters 0', 'It must be an integer of at least 1.'],
  ])('refuse %s', (option, message) => {
    expect(() => parse(option)).toThrow(message);
  });

  it('say which of them change nothing', () => {
    const given = `--save out --data-path data ${TINY} --use-flash-attn --moe-top-k 2 --glu`;
    expect(withoutEffect(given.split(' '))).toEqual(['--use-flash-attn']);
    const dense = given.replace('--moe-num-experts 2', '');
    expect(withoutEffect(dense.split(' ').filter(Boolean))).toEqual([
      ...['--moe-top-k', '--glu', '--use-flash-attn'],
    ]);
  });

  it('are tried with a warm-up of as many steps as are tried', () => {
    const optimizer = createOptimizer(smokeOptions(parse('--smoke --lr-warmup-iters 12')));
    expect(optimizer.learningRate).toBe(0.005);
    optimizer.dispose();
  });

  it('have what has no default', () => {
    const error = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    expect(() => parseOptions(TINY.split(' '))).toThrow('--data-path must be given');
    error.mockRestore();
  });

  it('of a run whose report cannot be written promise none', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation();
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    const save = join(folder, 'out');
    mkdirSync(join(save, 'report.html/in the way'), {recursive: true});
    const options = {...parse('--train-iters 2'), dataPath: [writeDataset()], save};
    expect(await run(options)).toBe(0);
    const printed = log.mock.calls.flat().join('\n');
    const warned = warn.mock.calls.flat().join('\n');
    [log, warn].forEach((spy) => spy.mockRestore());
    expect(printed).toContain('Computing on wasm');
    expect(printed).not.toContain('report.html');
    expect(warned).toContain(`'${save}/report.html' cannot be written`);
  });

  it('of a run without evaluation leave out the validation and the test', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation();
    const save = join(folder, 'out');
    const options = {...parse('--train-iters 2 --eval-iters 0'), dataPath: [writeDataset()], save};
    expect(await run(options)).toBe(0);
    log.mockRestore();
    const records = MetricsLog.read(new RunFolder(save));
    expect(records.length).toBe(2);
    expect(records.filter((record) => 'validationLoss' in record)).toEqual([]);
  });

  it('refuse data of another tokenizer', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation();
    const prefix = writeDataset();
    const made = {tokenizerHash: 'a', vocabSize: 300, endOfDocument: 299, appendEod: true};
    writeFileSync(`${prefix}.json`, JSON.stringify(made));
    const options = {...parse('--tokenizer-type GPT2BPETokenizer'), dataPath: [prefix]};
    await expect(run(options)).rejects.toThrow(
      `data: '${prefix}' must be made with the tokenizer of the run, of 50257 tokens, got one of ` +
        'another tokenizer, of 300',
    );
    // The data set says that its ids are below 300, and they are not.
    const wrong = {...parse(''), dataPath: [prefix], save: join(folder, 'out')};
    await expect(run(wrong)).rejects.toThrow(
      `data: the ids of '${prefix}' must be from 0 to 299, those of the tokenizer, got ids from 0 to 1412`,
    );
    log.mockRestore();
  });
});

describe('the bundled commands', () => {
  const {bundles, command} = bundlePrograms('pretrain');

  function runCommand(...program: Parameters<typeof command>) {
    const {status, stdout, stderr} = spawnSync(process.execPath, command(...program), {
      cwd: folder,
      encoding: 'utf8',
    });
    return {status, stdout, stderr};
  }

  function metrics(name: string): MetricsRecord[] {
    return MetricsLog.read(new RunFolder(join(folder, name)));
  }

  function losses(name: string): number[] {
    return metrics(name).flatMap(({loss}) => loss ?? []);
  }

  it('read the same samples in a thread as in the program', async () => {
    const worker = join(bundles, 'loader_worker.cjs');
    const config: GptLoaderConfig = {
      ...{prefixes: [writeDataset()], split: '8,2', sequenceLength: 16, seed: 1},
      numSamples: {train: 100, valid: 4},
    };
    const loader = new GptLoader(config);
    const thread = await LoaderThread.start(config, worker);
    for (const split of ['train', 'valid'] as const) {
      const here = loader.batches(split, 4)!;
      const {read, ...there} = thread.batches(split, 4)!;
      expect({...here, read: undefined}).toEqual({...there, read: undefined});
      const last = Math.floor(here.numSamples / 4) - 1;
      const batches = await Promise.all([read(0), read(last)]);
      expect(batches).toEqual(await Promise.all([here.read(0), here.read(last)]));
    }
    expect(thread.batches('test', 4)).toBe(undefined);
    await loader.close();
    await thread.close();
    await expect(LoaderThread.start({...config, prefixes: ['none']}, worker)).rejects.toThrow(
      "data: file 'none.bin' must exist, got none",
    );
  });

  it('preprocess, pretrain, and pretrain again after an interrupt', () => {
    mkdirSync(join(folder, 'text'));
    for (let i = 0; i < 30; i++) {
      writeFileSync(join(folder, `text/${i}.txt`), `The ${i}th whale swam by the ship. `.repeat(9));
    }
    const preprocess = '--input text --output-prefix whales --append-eod --learn-vocab 280';
    const made = runCommand('preprocess', `${preprocess} --workers 2`);
    expect({status: made.status, stderr: made.stderr}).toEqual({status: 0, stderr: ''});
    expect(made.stdout).toMatch(/30 documents, .* tokens/);
    expect(runCommand('preprocess', preprocess).stderr).toBe(
      "error: data: 'whales_text_document.bin' must be a new file, got one that is there\n",
    );

    const pretrain = `--data-path whales_text_document ${TINY} --train-iters 60`;
    const whole = runCommand('pretrain', `${pretrain} --save whole`);
    expect({status: whole.status, stderr: whole.stderr}).toEqual({status: 0, stderr: ''});
    expect(whole.stdout).toMatch(/dMoE step 60: validation loss/);
    expect(whole.stdout).toMatch(/^Test loss \d\.\d+, perplexity \d+/m);
    expect(readFileSync(join(folder, 'whole/report.html'), 'utf8')).toContain('test loss');
    // Of training, validation and test.
    expect(readdirSync(join(folder, 'cache')).length).toBe(3);

    const interrupt = signalAt('dMoE step 1/', 'SIGTERM');
    const interrupted = runCommand('pretrain', `${pretrain} --save out`, interrupt);
    expect(interrupted.status).toBe(143);
    expect(interrupted.stdout).toMatch(
      /Stopped at step \d+ of 60 \(SIGTERM\). The same command goes on from/,
    );
    const other = runCommand('pretrain', `${pretrain} --save out --lr 0.02`);
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(/got lr is 0.01 there, 0.02 here/);
    const {status} = runCommand('pretrain', `${pretrain} --save out`);
    expect(status).toBe(0);
    expect(losses('out')).toEqual(losses('whole'));
    expect(losses('out').length).toBe(60);
    expect(metrics('out').at(-1)).toMatchObject({
      step: 60,
      testLoss: metrics('whole').at(-1)!.testLoss,
    });
  });
});
