import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Measurement, Result} from './harness';
import type {Machine} from './machine';

export interface Report {
  benchmark: string;
  description: string;
  date: string;
  machine: Machine;
  results: Result[];
}

type Column = [header: string, cell: (measurement: Measurement) => string | undefined];

const COLUMNS: Column[] = [
  ['median ms', ({medianMs}) => formatNumber(medianMs)],
  ['min ms', ({minMs}) => formatNumber(minMs)],
  ['runs', ({runs}) => String(runs)],
  ['GFLOP/s', ({gflops}) => gflops?.toFixed(2)],
  ['GB/s', ({gbps}) => gbps?.toFixed(2)],
  ['time / baseline', ({timeToBaseline}) => formatNumber(timeToBaseline)],
];

/** With two decimals, and with more where they would leave less than three digits. */
export function formatNumber(value: number): string {
  return value < 1 ? value.toPrecision(3) : value.toFixed(2);
}

export function formatSizes(shapes: Result['shapes']): string {
  const sizes = Object.entries(shapes).map(([name, size]) => `${name} ${size}`);
  return sizes.join(', ');
}

/** The measurements of a comparison as a table; the baseline is the first row. */
export function formatTable({title, shapes, measurements}: Result): string {
  const columns = COLUMNS.filter(([, cell]) => measurements.some((row) => cell(row) != null));
  const rows = [
    [`${title} (${formatSizes(shapes)})`, ...columns.map(([header]) => header)],
    ...measurements.map((row) => [row.name, ...columns.map(([, cell]) => cell(row) ?? '')]),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
  );
  lines.splice(1, 0, '-'.repeat(lines[0].length));
  return lines.join('\n');
}

/** Writes a report beside those of the other benchmarks; returns its path. */
export function writeReport(folder: string, report: Report): string {
  mkdirSync(folder, {recursive: true});
  const path = join(folder, `${report.benchmark}_${report.machine.backend}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
}
