import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Machine} from './machine';
import {formatNumber, formatSizes, type Report} from './report';

const HEADER = ['| work | | ms | beside | ms | time / baseline |', '|---|---|--:|---|--:|--:|'];

/** The reports in a folder, in the order of their names; none if there is no folder. */
export function readReports(folder: string): Report[] {
  const files = (existsSync(folder) ? readdirSync(folder) : []).filter((name) =>
    name.endsWith('.json'),
  );
  return files.sort().map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Report);
}

/** The highlights of reports as tables for a README, one for each machine. */
export function formatMarkdown(reports: Report[]): string {
  const machines = [...new Set(reports.map(({machine}) => describe(machine)))];
  const tables = machines.map((machine) => {
    const rows = reports
      .filter((report) => describe(report.machine) === machine)
      .flatMap(formatRows);
    return rows.length === 0 ? [] : [[`${machine}:`, '', ...HEADER, ...rows].join('\n')];
  });
  return tables.flat().join('\n\n');
}

function formatRows({results}: Report): string[] {
  return results.flatMap(({title, shapes, highlights = [], measurements}) => {
    const [baseline] = measurements;
    const chosen = measurements.filter(({name}) => highlights.includes(name));
    return chosen.map(({name, medianMs, timeToBaseline}) => {
      const cells = [
        `${title} (${formatSizes(shapes)})`,
        name,
        formatNumber(medianMs),
        baseline.name,
        formatNumber(baseline.medianMs),
        formatNumber(timeToBaseline),
      ];
      return `| ${cells.join(' | ')} |`;
    });
  });
}

function describe({backend, cpu, gpu, cores, system, node, browser, tfjs}: Machine): string {
  const chip = gpu ?? `${cpu}, ${cores} cores`;
  return `\`${backend}\`, ${chip}, ${system}, ${browser ?? `Node.js ${node}`}, TensorFlow.js ${tfjs}`;
}
