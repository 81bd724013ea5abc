import {signal} from '@preact/signals';

/** The colours of the style sheet that charts need, as the browser computes them now. */
export interface ChartColors {
  ink: string;
  faint: string;
  rule: string;
  surface: string;
  /** From the least load to the most. */
  loads: string[];
  /** One after the other, a run each. */
  runs: string[];
}

export const NUM_RUN_COLORS = 6;
const NUM_LOAD_COLORS = 5;

export const chartColors = signal(readColors());

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  chartColors.value = readColors();
});

function readColors(): ChartColors {
  // Canvases know no custom properties: an element computes them.
  const probe = document.createElement('i');
  document.documentElement.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const readAll = (name: string, count: number) =>
    Array.from({length: count}, (_, i) => read(`${name}-${i + 1}`));
  const colors = {
    ink: read('ink'),
    faint: read('muted'),
    rule: read('rule'),
    surface: read('surface'),
    loads: readAll('load', NUM_LOAD_COLORS),
    runs: readAll('run', NUM_RUN_COLORS),
  };
  probe.remove();
  return colors;
}
