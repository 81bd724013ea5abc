import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs';
import {Option, program} from 'commander';
import {mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {layers, useFastMatMul} from '../../src/index';
import {deviceState} from '../../src/kernels/webgpu/device_state';
import type {Tiles} from '../../src/kernels/webgpu/matmul_tiles';
import {setupWebGPU} from '../../src/webgpu';
import {denseLayer, dmoeLayer} from './layer';
import {trainModel, trainTfjsModel} from './language_model';
import {finish, gpu, values} from './measure';
import {plotRows} from './plot';
import {transformerOps} from './transformer';
import {tune} from './tune';
import {
  denseProducts,
  groupedProducts,
  permutations,
  type Row,
  SHAPES,
  sparseProducts,
} from './products';

// The kernels and the layer on a GPU, at the sizes of the paper's models.

interface Options {
  software: boolean;
  only: string;
  out?: string;
  plot?: string;
  scale: number;
  batch: number;
  checks: boolean;
  profile: boolean;
  tune: boolean;
}

const {
  software,
  only,
  out,
  plot,
  scale,
  batch,
  checks,
  profile,
  tune: tunes,
} = program
  .name('webgpu benchmarks')
  .option('--software', 'accept a software adapter', false)
  .option(
    '--checks',
    'with the bounds checks of the GPU; tfjs products are measured with them alone',
    false,
  )
  .option('--profile', 'print the time of each program', false)
  .option('--tune', 'find the fastest tiles, write them to the table of tiles, and end', false)
  .option('--only <regex>', 'only the sections whose name matches', '')
  .option('--out <path>', 'where the JSON goes')
  .option('--plot <path>', 'where an SVG of it goes')
  .addOption(
    new Option('--batch <n>', 'sequences a step of the models').default(8).argParser(Number),
  )
  .addOption(new Option('--scale <n>', 'divide every size').default(1).argParser(Number))
  .parse()
  .opts<Options>();

const setup = await setupWebGPU({
  allowSoftware: software,
  precision: 'float16',
  boundsChecks: checks,
});
const state = deviceState(gpu().device);
const errors: string[] = [];
gpu().device.onuncapturederror = ({error}) => errors.push(error.message);
console.log(`${setup.adapter} · ${setup.precision} · ${setup.features.join(' ')}`);

const sizes = SHAPES.map(([T, H, F, E]): [number, number, number, number] => [
  T / scale,
  H / scale,
  F / scale,
  E,
]);

/** Runs with products in one precision, and then as before. */
async function withPrecision(precision: 'float32' | 'float16', run: () => Promise<Row[]>) {
  const before = state.precision;
  state.precision = precision;
  const rows = await run();
  state.precision = before;
  return rows;
}

/** From then on: nothing that is measured later runs without. */
function withFastProducts(run: () => Promise<Row[]>) {
  useFastMatMul();
  return run();
}

const sections: [string, () => Promise<Row[]>][] = [
  ['tfjs', () => denseProducts(4096 / scale, 'tfjs')],
  ['tfjs', () => denseLayer(sizes[2], 'tfjs', false)],
  ['tfjs', () => denseLayer(sizes[0], 'tfjs', false)],
  ['transformer', () => transformerOps(checks, scale)],
  ['dense', () => withFastProducts(() => denseProducts(4096 / scale, 'half'))],
  ['dense', () => withPrecision('float32', () => denseProducts(4096 / scale, 'float32'))],
  ...sizes.map((shape): [string, () => Promise<Row[]>] => [
    'grouped',
    () => groupedProducts(shape, 'half'),
  ]),
  ['grouped', () => withPrecision('float32', () => groupedProducts(sizes[3], 'float32'))],
  ['sparse', () => sparseProducts(sizes[1], 'half')],
  ['permute', () => permutations(65536 / scale, 1024, 1)],
  ['permute', () => permutations(65536 / scale, 512, 8)],
  ...sizes.map((shape): [string, () => Promise<Row[]>] => [
    'layer',
    () => dmoeLayer(shape, 'half'),
  ]),
  ['layer', () => denseLayer(sizes[0], 'half', true)],
  ['layer', () => denseLayer(sizes[2], 'half', true)],
  ...[8, 16, 32].map((E): [string, () => Promise<Row[]>] => [
    'experts',
    () => dmoeLayer([sizes[0][0], sizes[0][1], sizes[0][2], E], 'half'),
  ]),
  ['layer', () => dmoeLayer(sizes[2], 'half, sparse,', {mlpImpl: 'sparse'})],
  ['tfjs model', () => trainTfjsModel('small', batch)],
  ['dense model', () => withFastProducts(() => trainModel('small', batch))],
  ['dMoE model', () => withFastProducts(() => trainModel('small-64e', batch))],
];

/** Prints what each program of the layer takes. */
async function printProfile() {
  const [T, H, F, E] = sizes[0];
  const x = tf.variable(values([T, H], 1));
  const dy = values([T, H], 2);
  const layer = layers.dMoE({ffnHiddenSize: F, moeNumExperts: E, bias: false, moeLossWeight: 0});
  layer.build([T, H]);
  const inputs = [x, ...layer.weights.map((weight) => weight.read())];
  const run = () =>
    void tf.tidy(
      () =>
        void tf.engine().gradients(() => layer.apply(x, {training: true}) as tf.Tensor, inputs, dy),
    );
  const warmUp = performance.now();
  while (performance.now() - warmUp < 500) {
    run();
    await finish();
  }
  [x, dy].forEach((tensor) => state.magnitudes.forget(tensor));
  const {kernelMs, getExtraProfileInfo} = await tf.time(run);
  console.log(`dMoE, ${sizes[0].join(' ')}: ${kernelMs} ms`);
  console.log(getExtraProfileInfo?.().replaceAll(', ', '\n'));
}

/** Puts the tiles of this GPU's vendor into the table that the kernels choose from. */
function writeTiles(tiles: Tiles) {
  const path = 'src/kernels/webgpu/tiles.json';
  const table = {...JSON.parse(readFileSync(path, 'utf8')), [setup.vendor]: tiles};
  writeFileSync(`${path}.tmp`, `${JSON.stringify(table, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
  console.log(`written: ${path}`);
}

const rows: Row[] = [];
if (tunes) {
  writeTiles(await tune([sizes[0], sizes[3]], 4096 / scale));
  setup.dispose();
  process.exit(0);
}
if (profile) {
  await printProfile();
}
for (const [name, run] of sections) {
  if (!new RegExp(only).test(name)) {
    continue;
  }
  try {
    for (const row of await run()) {
      rows.push(row);
      const {what, shape, ms, tflops, gbps, tokensPerSecond} = row;
      const rate = tokensPerSecond
        ? `${tokensPerSecond.toFixed(0)} tokens/s`
        : tflops
          ? `${tflops.toFixed(1)} TFLOP/s`
          : gbps
            ? `${gbps.toFixed(0)} GB/s`
            : '';
      console.log(
        `${what.padEnd(46)} ${shape.padEnd(22)} ${ms.toFixed(3).padStart(9)} ms  ${rate}`,
      );
    }
  } catch (error) {
    console.log(`${name} failed: ${(error as Error).stack}`);
  }
  errors
    .splice(0)
    .slice(0, 2)
    .forEach((message) => console.log(`GPU error: ${message.slice(0, 600)}`));
}
console.log(
  `allocated ${(tf.memory() as unknown as {numBytesAllocatedInGPU: number}).numBytesAllocatedInGPU / 2 ** 30} GiB`,
);
if (out != null) {
  mkdirSync(dirname(out), {recursive: true});
  writeFileSync(out, `${JSON.stringify({...setup, tfjs: tf.version_core, rows}, null, 2)}\n`);
}
if (plot != null) {
  mkdirSync(dirname(plot), {recursive: true});
  writeFileSync(plot, plotRows(setup.adapter, new Date().toISOString(), rows));
}
setup.dispose();
process.exit(0);
