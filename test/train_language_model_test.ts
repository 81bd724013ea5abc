import * as tf from '@tensorflow/tfjs';
import {mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {randomWindows, validationBatches} from '../training/batches';
import {compileLanguageModel, evaluateLanguageModel} from '../training/language_model_loss';
import {learningRateAt, type LearningRateSchedule} from '../training/learning_rate_schedule';
import type {MetricsRecord} from '../training/metrics_log';
import type {StepReport} from '../training/progress';
import {RunFolder} from '../training/run_folder';
import {StopRequest} from '../training/stop_request';
import {trainLanguageModel, type TrainingOptions} from '../training/train_language_model';
import {describeEachBackend} from './backends';
import {TINY, tinyIds, tinyLanguageModel, tinyLoss} from './tiny_language_model';

const SCHEDULE: LearningRateSchedule = {
  decayStyle: 'cosine',
  maxLearningRate: 0.05,
  minLearningRate: 0.005,
  warmupSteps: 2,
  decaySteps: 10,
};

let path: string;
let warnings: string[];
let notes: string[];
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'train-'));
  warnings = [];
  notes = [];
});
afterEach(() => rmSync(path, {recursive: true}));

const {sequenceLength} = TINY;
const windows = (batchSize: number) =>
  randomWindows({ids: tinyIds(200), batchSize, sequenceLength, seed: 5});

/** A run of 10 steps; `onStep` may stop it. */
function options(
  changes: Partial<TrainingOptions> = {},
  onStep: (report: StepReport, stop: StopRequest) => void = () => undefined,
): TrainingOptions {
  const stop = new StopRequest();
  return {
    name: 'tiny',
    model: tinyLanguageModel(),
    optimizer: new AdamWOptimizer({learningRate: SCHEDULE}),
    loss: tinyLoss,
    train: windows(3),
    validation: validationBatches({ids: tinyIds(70), batchSize: 3, sequenceLength}, 2),
    steps: 10,
    evalEvery: 4,
    saveEvery: 3,
    folder: new RunFolder(join(path, 'run'), (message) => warnings.push(message)),
    config: {hidden: 8},
    stop,
    createProgress: () => ({
      step: (report) => onStep(report, stop),
      note: (text) => notes.push(text),
      stop: () => undefined,
    }),
    ...changes,
  };
}

/** The log without what depends on the clock and on the other models in memory. */
function withoutTime(records: MetricsRecord[]): MetricsRecord[] {
  return records.map((record) => ({...record, seconds: 0, memoryBytes: 0}));
}

function lossesOf(records: MetricsRecord[]): number[] {
  return records.flatMap(({loss}) => loss ?? []);
}

describeEachBackend('training a language model', () => {
  // tfjs' own fused product on wasm fails its check for leaks where an activation is not fused.
  beforeAll(() => tf.env().set('IS_TEST', false));

  it('learns, validates every few steps and at the end, and logs it all', async () => {
    const {step, saved, log} = await trainLanguageModel(options());
    expect({step, saved}).toEqual({step: 10, saved: true});
    const losses = lossesOf(log.records);
    expect(losses.length).toBe(10);
    expect(losses[9]).toBeLessThan(losses[0] - 0.3);
    const validated = log.records.filter(({validationLoss}) => validationLoss != null);
    expect(validated.map((record) => record.step)).toEqual([4, 8, 10]);
    expect(notes).toEqual(
      validated.map(({step, validationLoss: loss}) =>
        expect.stringContaining(
          `step ${step}: validation loss ${loss!.toFixed(3)}, perplexity ${Math.exp(loss!).toPrecision(4)}`,
        ),
      ),
    );
    const lines = readFileSync(join(path, 'run/metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(log.records);
    expect(log.records[0]).toMatchObject({step: 1, learningRate: 0.025, loss: losses[0]});
    expect(log.seconds).toBeGreaterThan(0);
  });

  it('is tested once, at the end', async () => {
    const test = validationBatches({ids: tinyIds(90), batchSize: 3, sequenceLength}, 3);
    const stopped = await trainLanguageModel(
      options({test, steps: 4}, ({step}, stop) => step === 2 && stop.request('Ctrl-C')),
    );
    expect(stopped.testLoss).toBe(undefined);
    const model = tinyLanguageModel();
    const {testLoss, log} = await trainLanguageModel(options({model, test, steps: 4}));
    expect(testLoss).toBe(await evaluateLanguageModel(model, test));
    expect(log.records.at(-1)).toMatchObject({step: 4, testLoss});
    const again = await trainLanguageModel(options({test, steps: 4}));
    expect(again.testLoss).toBe(testLoss);
    expect(again.log.records).toEqual(log.records);
  });

  it.each([1, 3, 4, 5, 9])(
    'goes on after a stop at step %d as if there had been none',
    async (at) => {
      const whole = await trainLanguageModel(options({folder: new RunFolder(join(path, 'whole'))}));
      const first = await trainLanguageModel(
        options({}, ({step}, stop) => step === at && stop.request('Ctrl-C')),
      );
      expect({step: first.step, saved: first.saved}).toEqual({step: at, saved: true});
      const second = await trainLanguageModel(options({model: tinyLanguageModel({seed: 3})}));
      expect(second.step).toBe(10);
      expect(withoutTime(second.log.records)).toEqual(withoutTime(whole.log.records));
    },
  );

  it('goes on from the last checkpoint after a crash', async () => {
    const whole = await trainLanguageModel(options({folder: new RunFolder(join(path, 'whole'))}));
    const crash = options({}, ({step}) => {
      if (step === 8) {
        throw new Error('power failure');
      }
    });
    await expect(trainLanguageModel(crash)).rejects.toThrow('power failure');
    const steps: number[] = [];
    const second = await trainLanguageModel(options({}, ({step}) => steps.push(step)));
    expect(steps).toEqual([7, 8, 9, 10]);
    expect(withoutTime(second.log.records)).toEqual(withoutTime(whole.log.records));
  });

  it('takes no step where all are done', async () => {
    await trainLanguageModel(options());
    const model = tinyLanguageModel({seed: 3});
    const again = await trainLanguageModel(
      options({model}, () => {
        throw new Error('a step');
      }),
    );
    expect(again.step).toBe(10);
    expect(lossesOf(again.log.records).length).toBe(10);
  });

  it('keeps the router losses out of the cross-entropy', async () => {
    const model = tinyLanguageModel();
    model.getLayer('hidden').addLoss(() => tf.scalar(100));
    const {log} = await trainLanguageModel(options({model, steps: 1}));
    const [{loss, totalLoss}, {validationLoss}] = log.records;
    expect(totalLoss! - loss!).toBeCloseTo(100, 4);
    expect(loss).toBeLessThan(5);
    expect(validationLoss).toBeLessThan(5);
  });

  it('takes the steps of large batches from micro-batches', async () => {
    const whole = await trainLanguageModel(options({folder: new RunFolder(join(path, 'whole'))}));
    const optimizer = new AdamWOptimizer({learningRate: SCHEDULE, accumulationSteps: 3});
    const parts = await trainLanguageModel(options({optimizer, train: windows(1)}));
    expect(parts.log.records.map(({step, tokens}) => [step, tokens])).toEqual(
      whole.log.records.map(({step, tokens}) => [step, tokens]),
    );
    const expected = lossesOf(whole.log.records);
    lossesOf(parts.log.records).forEach((loss, i) => expect(loss).toBeCloseTo(expected[i], 4));
  });

  it.each([3, Infinity])('skips steps that are not finite and goes on, up to %d', async (most) => {
    const model = tinyLanguageModel();
    let calls = 0;
    model.getLayer('hidden').addLoss(() => tf.scalar([3, 4, 6].includes(++calls) ? NaN : 0));
    const {step, log} = await trainLanguageModel(options({model, maxSkippedSteps: most}));
    expect(step).toBe(10);
    const skipped = log.records.filter((record) => record.skipped);
    expect(skipped.map((record) => [record.step, record.loss])).toEqual([
      [3, undefined],
      [4, undefined],
      [6, undefined],
    ]);
    // Steps that are skipped do not count for the schedule.
    expect(log.records.find((record) => record.step === 7)!.learningRate).toBeCloseTo(
      learningRateAt(SCHEDULE, 3),
      12,
    );
    expect(notes.filter((note) => note.includes('skipped'))).toEqual([
      'tiny step 3: the loss is NaN, so the step is skipped (1 in a row)',
      'tiny step 4: the loss is NaN, so the step is skipped (2 in a row)',
      'tiny step 6: the loss is NaN, so the step is skipped (1 in a row)',
    ]);
  });

  it('stops where too many steps in a row are not finite, and keeps the last checkpoint', async () => {
    const model = tinyLanguageModel();
    let calls = 0;
    model.getLayer('hidden').addLoss(() => tf.scalar(++calls > 4 ? Infinity : 0));
    await expect(trainLanguageModel(options({model, maxSkippedSteps: 4}))).rejects.toThrow(
      'tiny: the loss and the gradients must be finite, got 4 steps in a row that were not, up to ' +
        'step 8 (the loss is Infinity); the last checkpoint is of step 6',
    );
  });

  it('names the micro-batch to try where memory does not suffice', async () => {
    const model = tinyLanguageModel();
    model.getLayer('hidden').addLoss(() => {
      throw new RangeError('Array buffer allocation failed');
    });
    await expect(trainLanguageModel(options({model, train: windows(6)}))).rejects.toThrow(
      'out of memory with a micro-batch of 6: try a micro-batch of 3, 2 of them a step, which gives the ' +
        'same updates (Array buffer allocation failed)',
    );
  });

  it('keeps the checkpoint of the best validation loss', async () => {
    const {log} = await trainLanguageModel(options({evalEvery: 2, saveEvery: 100}));
    const losses = log.records.flatMap(({step, validationLoss: loss}) =>
      loss == null ? [] : {step, loss},
    );
    const best = losses.reduce((a, b) => (b.loss < a.loss ? b : a));
    const kept = readdirSync(join(path, 'run')).flatMap(
      (name) => /^checkpoint-0*(\d+)/.exec(name)?.[1] ?? [],
    );
    expect(kept.map(Number)).toContain(best.step);
  });

  it('passes the metrics on, and writes what the run is', async () => {
    const taken: MetricsRecord[] = [];
    const sinks = [{add: (record: MetricsRecord) => taken.push(record)}];
    const {log} = await trainLanguageModel(options({sinks, flopsPerToken: 5}));
    expect(taken).toEqual(log.records);
    expect(JSON.parse(readFileSync(join(path, 'run/run.json'), 'utf8'))).toEqual({
      ...{name: 'tiny', flopsPerToken: 5, config: {hidden: 8}},
    });
  });

  it('refuses to go on with another configuration', async () => {
    await trainLanguageModel(options({steps: 3}));
    await expect(trainLanguageModel(options({config: {hidden: 9}}))).rejects.toThrow(
      'must have the configuration of this run, got hidden is 8 there, 9 here',
    );
  });

  it('goes on where the folder cannot be written, and says so once', async () => {
    writeFileSync(join(path, 'run'), 'a file where the folder should be');
    const {step, saved, log} = await trainLanguageModel(options());
    expect({step, saved}).toEqual({step: 10, saved: false});
    expect(lossesOf(log.records).length).toBe(10);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain('cannot be written');
  });

  it('leaves no tensors behind but the weights and the optimizer', async () => {
    const model = tinyLanguageModel();
    const numWeights = model.weights.length;
    const before = tf.memory().numTensors;
    const run = options({model});
    const own = tf.memory().numTensors - before; // The optimizer's powers of beta.
    await trainLanguageModel(run);
    expect(tf.memory().numTensors - before - own).toBe(2 * numWeights);
  });

  it('evaluates the whole text, every token alike', async () => {
    const model = tinyLanguageModel();
    compileLanguageModel(model, new AdamWOptimizer({learningRate: 0}), tinyLoss);
    const config = {ids: tinyIds(37), sequenceLength};
    const byOne = await evaluateLanguageModel(model, validationBatches({...config, batchSize: 1}));
    const byThree = await evaluateLanguageModel(
      model,
      validationBatches({...config, batchSize: 3}),
    );
    expect(byThree).toBeCloseTo(byOne, 5);
    expect(byOne).toBeGreaterThan(2);
  });

  it('refuses bad options', async () => {
    await expect(trainLanguageModel(options({steps: 0}))).rejects.toThrow(
      'trainLanguageModel: steps must be an integer of at least 1, got 0',
    );
    await expect(trainLanguageModel(options({evalEvery: 2.5}))).rejects.toThrow(
      'trainLanguageModel: evalEvery must be an integer of at least 1, got 2.5',
    );
    await expect(trainLanguageModel(options({maxSkippedSteps: NaN}))).rejects.toThrow(
      'trainLanguageModel: maxSkippedSteps must be an integer of at least 1, got NaN',
    );
  });
});
