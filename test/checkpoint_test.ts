import * as tf from '@tensorflow/tfjs';
import {spawnSync} from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {AdamWOptimizer} from '../training/optimizers/adamw';
import {randomWindows} from '../training/batches';
import {Checkpoints} from '../training/checkpoint';
import {RunFolder} from '../training/run_folder';
import {StepsDataset} from '../training/steps_dataset';
import {decodeSafetensors} from '../training/safetensors';
import {languageModel} from '../src/index';
import {describeEachBackend} from './backends';
import {expectClose} from './close';
import {TINY, tinyIds, tinyLanguageModel, tinyLoss} from './tiny_language_model';

const config = {layers: 2, hidden: 8, data: 'moby-dick'};
const samples = 12;

let path: string;
let warnings: string[];
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'checkpoint-'));
  warnings = [];
});
afterEach(() => rmSync(path, {recursive: true}));

function checkpoints(
  otherConfig: object = config,
  {keep, maxShardBytes}: {keep?: number; maxShardBytes?: number} = {},
): Checkpoints {
  const warn = (message: string) => warnings.push(message);
  return new Checkpoints({
    storage: new RunFolder(path, warn),
    config: {...otherConfig},
    warn,
    keep,
    maxShardBytes,
  });
}

function compiled(seed = 1, hidden = 8): tf.LayersModel {
  const model = tinyLanguageModel({seed, hidden});
  model.compile({optimizer: new AdamWOptimizer({learningRate: 0.01}), loss: tinyLoss});
  return model;
}

/** Trains for some steps on the same batch and gives the losses. */
async function losses(model: tf.LayersModel, steps: number): Promise<number[]> {
  const {sequenceLength} = TINY;
  const ids = tinyIds(2 * sequenceLength + 1);
  const batches = new StepsDataset({
    data: randomWindows({ids, batchSize: 2, sequenceLength, seed: 1}),
    ...{microBatches: 1, stepsPerEpoch: 1, lastStep: steps, firstStep: 0, firstSample: 0},
  });
  const {history} = await model.fitDataset(batches, {epochs: steps, verbose: 0});
  return history.loss as number[];
}

describeEachBackend('checkpoints', () => {
  // tfjs' own fused product on wasm fails its check for leaks where an activation is not fused.
  beforeAll(() => tf.env().set('IS_TEST', false));

  it('restore the weights, the optimizer and the state, to the bit', async () => {
    const model = compiled();
    await losses(model, 5);
    expect(await checkpoints().save(model, {step: 5, samples})).toBe(true);
    const expected = await losses(model, 5);

    const other = compiled(2);
    expect(await checkpoints().restore(other)).toEqual({step: 5, samples});
    expect(await losses(other, 5)).toEqual(expected);
  });

  it('leave no tensors behind', async () => {
    const model = compiled();
    await losses(model, 1);
    const fresh = compiled(2);
    const before = tf.memory().numTensors;
    await checkpoints().save(model, {step: 1, samples});
    expect(tf.memory().numTensors).toBe(before);
    await checkpoints().restore(fresh);
    // What stays is the optimizer's state: two moments a weight.
    expect(tf.memory().numTensors).toBe(before + 2 * fresh.weights.length);
  });

  it('are safetensors with the names of the weights', async () => {
    const model = compiled();
    await checkpoints().save(model, {step: 1, samples});
    const {tensors} = decodeSafetensors(
      readFileSync(join(path, 'checkpoint-00000001.safetensors')),
      '',
    );
    expect([...tensors.keys()].slice(0, 4)).toEqual([
      'hidden.kernel',
      'hidden.bias',
      'logits.kernel',
      'logits.bias',
    ]);
    expect(tensors.get('hidden.kernel')!.shape).toEqual([TINY.vocabSize, 8]);
  });

  it('go on where the jitter of the routers was', async () => {
    const sizes = {vocabSize: 13, sequenceLength: 6, hiddenSize: 4, numLayers: 1, numHeads: 1};
    const moe = {moeNumExperts: 2, moeJitterEps: 0.5};
    const jittery = () => {
      const model = languageModel({...sizes, feedForward: 'dMoE', moe});
      model.compile({optimizer: new AdamWOptimizer({learningRate: 0.1}), loss: tinyLoss});
      return model;
    };
    const model = jittery();
    await losses(model, 3);
    await checkpoints().save(model, {step: 3, samples});
    const expected = await losses(model, 3);
    const other = jittery();
    await checkpoints().restore(other);
    expect(await losses(other, 3)).toEqual(expected);
  });

  it.each([
    [undefined, [11, 12]],
    [1, [12]],
    [3, [10, 11, 12]],
  ])('are kept, by %p, and the best beside them', async (keep, newest) => {
    const model = compiled();
    const store = checkpoints(config, {keep});
    const save = (step: number, best: number) =>
      store.save(model, {step, samples, best: {step: best, validationLoss: 1}});
    for (const step of [7, 8, 9, 10, 11, 12]) {
      await save(step, Math.min(step, 8));
    }
    expect(store.steps()).toEqual([8, ...newest]);
    await save(13, 13);
    expect(store.steps()).toEqual(newest.map((step) => step + 1));
  });

  it('are written while training goes on, with the values of their moment', async () => {
    const model = compiled();
    await losses(model, 1);
    const weights = model.getWeights().map((weight) => weight.clone());
    const {saved} = await checkpoints().startSaving(model, {step: 1, samples});
    await losses(model, 1);
    expect(await saved).toBe(true);
    const other = compiled(2);
    await checkpoints().restore(other);
    other.getWeights().forEach((weight, i) => expectClose(weight, weights[i], {tolerance: 0}));
  });

  it('are none in an empty folder', async () => {
    expect(await checkpoints().restore(compiled())).toBeUndefined();
  });

  describe('in several files', () => {
    /** Less than the largest weight has. */
    const SHARDED = {maxShardBytes: 300};
    const index = 'checkpoint-00000002.safetensors.index.json';
    const shards = () => readdirSync(path).filter((name) => /-\d+-of-\d+\./.test(name));

    it('restore the weights, the optimizer and the state, to the bit', async () => {
      const model = compiled();
      await losses(model, 2);
      const store = checkpoints(config, SHARDED);
      expect(await store.save(model, {step: 2, samples})).toBe(true);
      const expected = await losses(model, 2);
      const other = compiled(2);
      // How large the files may be is of those to come.
      expect(await checkpoints().restore(other)).toEqual({step: 2, samples});
      expect(await losses(other, 2)).toEqual(expected);
    });

    it('have the index of the convention, and at most the bytes that are asked for', async () => {
      const model = compiled();
      await losses(model, 1);
      await checkpoints(config, SHARDED).save(model, {step: 2, samples});
      const {metadata, weight_map: map} = JSON.parse(readFileSync(join(path, index), 'utf8'));
      const count = String(shards().length).padStart(5, '0');
      expect(shards().length).toBeGreaterThan(3);
      expect(map['hidden.kernel']).toBe(`checkpoint-00000002-00001-of-${count}.safetensors`);
      let bytes = 0;
      for (const shard of shards()) {
        const {tensors} = decodeSafetensors(readFileSync(join(path, shard)), shard);
        const sizes = [...tensors.values()].map(({values}) => values.byteLength);
        const size = sizes.reduce((a, b) => a + b);
        expect(sizes.length === 1 || size <= SHARDED.maxShardBytes).toBe(true);
        bytes += size;
        [...tensors.keys()].forEach((name) => expect(map[name]).toBe(shard));
      }
      expect(metadata.total_size).toBe(bytes);
    });

    it('are not used where any of them is damaged or missing', async () => {
      const model = compiled();
      const store = checkpoints(config, SHARDED);
      await store.save(model, {step: 1, samples});
      await store.save(model, {step: 2, samples});
      const files = [index, ...shards().filter((name) => name.startsWith('checkpoint-00000002-'))];
      expect(files.length).toBeGreaterThan(2);
      for (const file of files) {
        const whole = readFileSync(join(path, file));
        const flipped = Buffer.from(whole);
        flipped[whole.length >> 1] ^= 1;
        for (const damaged of [flipped, whole.subarray(0, whole.length - 1)]) {
          writeFileSync(join(path, file), damaged);
          expect((await store.restore(compiled()))!.step).toBe(1);
        }
        writeFileSync(join(path, file), whole);
      }
      expect(warnings.length).toBe(2 * files.length);
      rmSync(join(path, files.at(-1)!));
      expect((await store.restore(compiled()))!.step).toBe(1);
      expect(warnings.at(-1)).toMatch(/safetensors: must be there, got no such file; trying/);
      rmSync(join(path, index));
      expect((await store.restore(compiled()))!.step).toBe(1);
      expect(warnings.length).toBe(2 * files.length + 1);
    });

    it('are those of one checkpoint', async () => {
      const store = checkpoints(config, SHARDED);
      await store.save(compiled(), {step: 2, samples});
      const [first] = shards();
      const earlier = readFileSync(join(path, first));
      await store.save(compiled(2), {step: 2, samples});
      writeFileSync(join(path, first), earlier);
      await expect(store.restore(compiled())).rejects.toThrow(
        /must have the checksum [0-9a-f]{8} that its index says, got [0-9a-f]{8}; no other/,
      );
    });

    it('are removed together, and with them what a killed program has left', async () => {
      const store = checkpoints(config, SHARDED);
      const model = compiled();
      await store.save(model, {step: 1, samples});
      rmSync(join(path, 'checkpoint-00000001.safetensors.index.json'));
      for (const step of [2, 3, 4]) {
        await store.save(model, {step, samples});
      }
      expect(store.steps()).toEqual([3, 4]);
      expect(readdirSync(path).filter((name) => /0000000[12]/.test(name))).toEqual([]);
      store.clear();
      expect(readdirSync(path)).toEqual([]);
    });

    it('take the place of one file of the same step', async () => {
      const model = compiled();
      await checkpoints().save(model, {step: 9, samples});
      truncateSync(join(path, 'checkpoint-00000009.safetensors'), 1000);
      await checkpoints(config, SHARDED).save(model, {step: 9, samples: 8});
      expect(await checkpoints().restore(model)).toEqual({step: 9, samples: 8});
      await checkpoints().save(model, {step: 9, samples: 7});
      expect(await checkpoints().restore(model)).toEqual({step: 9, samples: 7});
    });

    it('leave nothing where a weight is not finite', async () => {
      const model = compiled();
      model.getLayer('logits').setWeights([tf.fill([8, 13], NaN), tf.zeros([13])]);
      expect(await checkpoints(config, SHARDED).save(model, {step: 2, samples})).toBe(false);
      expect(readdirSync(path)).toEqual([]);
    });
  });

  it('fall back to the one before where the newest is damaged', async () => {
    const model = compiled();
    await checkpoints().save(model, {step: 1, samples});
    await checkpoints().save(model, {step: 2, samples});
    const newest = join(path, 'checkpoint-00000002.safetensors');
    truncateSync(newest, statSync(newest).size - 1);
    expect((await checkpoints().restore(compiled()))!.step).toBe(1);
    expect(warnings).toEqual([
      expect.stringMatching(
        /checkpoint-00000002\.safetensors: must have \d+ bytes or more, got \d+: it is cut short; trying/,
      ),
    ]);
    truncateSync(join(path, 'checkpoint-00000001.safetensors'), 3);
    await expect(checkpoints().restore(compiled())).rejects.toThrow('no other checkpoint is there');
  });

  it('keep what is saved after a fall back, though the damaged one is of a later step', async () => {
    const model = compiled();
    const best = {step: 3, validationLoss: 1};
    await checkpoints(config, {keep: 1}).save(model, {step: 3, samples, best});
    await checkpoints(config, {keep: 1}).save(model, {step: 9, samples, best});
    truncateSync(join(path, 'checkpoint-00000009.safetensors'), 1000);
    const saved = checkpoints(config, {keep: 1});
    expect(await saved.restore(model)).toMatchObject({step: 3});
    expect(await saved.save(model, {step: 5, samples, best})).toBe(true);
    expect(await saved.restore(model)).toMatchObject({step: 5});
    await saved.save(model, {step: 9, samples, best});
    expect(saved.steps()).toEqual([3, 9]);
    expect(await saved.restore(model)).toMatchObject({step: 9});
  });

  it.each(['header', 'state', 'weights', 'optimizer'])(
    'are not used with a bit flipped in the %s',
    async (where) => {
      const model = compiled();
      await losses(model, 1);
      await checkpoints().save(model, {step: 1, samples});
      await checkpoints().save(model, {step: 2, samples});
      const newest = join(path, 'checkpoint-00000002.safetensors');
      const bytes = readFileSync(newest);
      const text = bytes.toString('latin1');
      const offset = {
        header: text.indexOf('hidden.kernel'),
        state: text.indexOf('samples') + 10,
        weights: 8 + Number(bytes.readBigUInt64LE(0)),
        optimizer: bytes.length - 1,
      }[where]!;
      bytes[offset] ^= 1;
      writeFileSync(newest, bytes);
      expect((await checkpoints().restore(compiled()))!.step).toBe(1);
      expect(warnings).toEqual([
        expect.stringMatching(
          /must have the checksum [0-9a-f]{8}, got [0-9a-f]{8}: it is damaged; trying/,
        ),
      ]);
    },
  );

  it('refuse another configuration and name what differs', async () => {
    await checkpoints().save(compiled(), {step: 1, samples});
    const other = checkpoints({layers: 4, hidden: 8, data: 'moby-dick', experts: 2});
    await expect(other.restore(compiled())).rejects.toThrow(
      `${path}/checkpoint-00000001.safetensors: must have the configuration of this run, ` +
        'got layers is 2 there, 4 here; experts is undefined there, 2 here',
    );
  });

  it('refuse another model of the same configuration', async () => {
    await checkpoints().save(compiled(), {step: 1, samples});
    await expect(checkpoints().restore(compiled(1, 9))).rejects.toThrow(
      'hidden.kernel must have shape [13,9], got [13,8]',
    );
  });

  it('refuse to save weights that are not finite', async () => {
    const model = compiled();
    await checkpoints().save(model, {step: 1, samples});
    model.getLayer('logits').setWeights([tf.fill([8, 13], NaN), tf.zeros([13])]);
    expect(await checkpoints().save(model, {step: 2, samples})).toBe(false);
    expect(warnings).toEqual([
      'checkpoint: logits.kernel is not finite at step 2, so it is not saved',
    ]);
    expect(checkpoints().steps()).toEqual([1]);
  });

  it('say once that the folder cannot be written, and keep the last good one', async () => {
    const model = compiled();
    const folder = new RunFolder(join(path, 'run'), (message) => warnings.push(message));
    const store = new Checkpoints({storage: folder, config});
    writeFileSync(join(path, 'run'), 'a file where the folder should be');
    expect(await store.save(model, {step: 1, samples})).toBe(false);
    rmSync(join(path, 'run'));
    expect(await store.save(model, {step: 2, samples})).toBe(true);
    expect(warnings.length).toBe(1);
    expect(store.steps()).toEqual([2]);
  });
});

/** What Python's safetensors reads of a folder: all tensors of its files by name, and those of its index. */
const PYTHON = `
import json, pathlib, sys
from safetensors import safe_open
shapes, sums, index = {}, {}, {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    if path.suffix == '.json':
        index = json.loads(path.read_text())['weight_map']
        continue
    with safe_open(path, 'numpy') as file:
        for name in file.keys():
            shapes[name] = file.get_tensor(name).shape
            sums[name] = float(file.get_tensor(name).astype('float64').sum())
print(json.dumps({'shapes': shapes, 'sums': sums, 'index': sorted(index)}))
`;
const python = process.env.PYTHON ?? 'python3';
const {status} = spawnSync(python, ['-c', 'import safetensors, numpy']);
const itWithPython = status === 0 ? it : it.skip;

describe(`Python's safetensors${status === 0 ? '' : ` (no such package for ${python})`}`, () => {
  beforeAll(() => tf.setBackend('cpu'));

  itWithPython.each([undefined, 300])('reads them, files of %p bytes', async (maxShardBytes) => {
    const model = compiled();
    await losses(model, 1);
    await checkpoints(config, {maxShardBytes}).save(model, {step: 1, samples});
    const {stdout} = spawnSync(python, ['-c', PYTHON, path], {encoding: 'utf8'});
    const {shapes, sums, index} = JSON.parse(stdout);
    const kernel = model.getLayer('logits').getWeights()[0];
    expect(shapes['logits.kernel']).toEqual(kernel.shape);
    const sum = (kernel.dataSync() as Float32Array).reduce((a, b) => a + b, 0);
    expect(sums['logits.kernel']).toBeCloseTo(sum, 5);
    expect(shapes['optimizer/0/m']).toEqual([TINY.vocabSize, 8]);
    expect(index).toEqual(maxShardBytes == null ? [] : Object.keys(shapes).sort());
  });
});
