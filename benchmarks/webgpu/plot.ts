import {plotReport} from '../plot';
import type {Row} from './products';

// The figures of a run on a GPU as an SVG.

/** What is shown together, by the names of the rows. */
const GROUPS: [RegExp, string][] = [
  [/^\w+ matMul/, 'Dense product'],
  [/grouped/, 'Grouped products'],
  [/ (sdd|dsd|dds)/, 'Block-sparse products'],
  [/^(copy|gather|scatter)/, 'Permutation'],
  [/dMoE forward and|dense forward/, 'Feed-forward, forward and backward'],
  [/^[a-z]\w+(, .*)?: (?!sort)/i, 'What a transformer needs besides'],
  [/step/, 'Training step of a language model'],
];

/** Each group and shape as bars; those of TensorFlow.js alone come first, in grey. */
export function plotRows(gpu: string, date: string, rows: readonly Row[]): string {
  const results = GROUPS.flatMap(([pattern, title]) => {
    const members = rows.filter(({what}) => pattern.test(what));
    const shapes = [...new Set(members.map(({shape}) => shape))];
    return shapes.map((shape) => {
      const ofShape = members
        .filter((row) => row.shape === shape)
        .sort((a, b) => Number(isTfjs(b)) - Number(isTfjs(a)));
      return {
        title: `${title}, ${shape}`,
        shapes: {},
        hasBaseline: isTfjs(ofShape[0]),
        measurements: ofShape.map(({what, ms, tflops, gbps}) => ({
          name: what,
          runs: 1,
          medianMs: ms,
          minMs: ms,
          ...(tflops && {gflops: 1000 * tflops}),
          ...(gbps && {gbps}),
          timeToBaseline: 1,
        })),
      };
    });
  });
  return plotReport({
    benchmark: 'webgpu',
    description: '',
    date,
    machine: {backend: 'webgpu', gpu} as Parameters<typeof plotReport>[0]['machine'],
    results,
  });
}

function isTfjs({what}: Row): boolean {
  return /tfjs|copy/.test(what);
}
