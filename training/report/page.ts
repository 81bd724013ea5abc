/** A text that a model wrote. */
export interface Sample {
  model: string;
  prompt: string;
  continuation: string;
}

/** What a page shows. */
export interface PageContents {
  title: string;
  /** The figure, an SVG. */
  figure: string;
  /** The results as rows of text, the headings first. */
  results: readonly string[][];
  /** What is to be said about them, a line each. */
  notes?: readonly string[];
  samples?: readonly Sample[];
  /** The options of the run. */
  config?: Record<string, unknown>;
}

const STYLE = `
  :root {color-scheme: light;}
  body {margin: 0 auto; max-width: 1200px; padding: 24px; background: #fff; color: #1f2933;
    font: 15px/1.5 ui-sans-serif, system-ui, Helvetica, Arial, sans-serif;}
  figure {margin: 0 -24px;}
  figure svg {width: 100%; height: auto;}
  h2 {margin: 40px 0 12px; font-size: 18px;}
  table {border-collapse: collapse; font-variant-numeric: tabular-nums;}
  th, td {padding: 6px 14px 6px 0; border-bottom: 1px solid #e4e7eb; text-align: right;}
  th {color: #616e7c; font-weight: 500;}
  th:first-child, td:first-child, .config td {text-align: left;}
  .scroll {overflow-x: auto;}
  blockquote {margin: 0 0 20px; padding: 12px 16px; border-left: 3px solid #e4e7eb;
    white-space: pre-wrap; overflow-wrap: anywhere; font-family: Georgia, serif;}
  blockquote b {font-weight: 600;}
  .samples {display: grid; gap: 24px; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr));}
  .samples h3 {margin: 0 0 8px; font-size: 15px;}
`;

/** A page that needs no other file and no network: the figure, the results, the samples, the options. */
export function renderPage(contents: PageContents): string {
  const {title, figure, results, notes = [], samples = [], config = {}} = contents;
  const [headings, ...rows] = results;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>${STYLE}</style>
<body>
<figure>${figure}</figure>
<h2>Results</h2>
<div class="scroll">${table([headings], rows)}</div>
${notes.map((note) => `<p>${escape(note)}</p>`).join('\n')}
${section('Samples', 'samples', samplesByModel(samples).join('\n'))}
${section('Configuration', 'config', configTable(config))}
</body>
</html>
`;
}

/** Left out where it is empty. */
function section(heading: string, className: string, contents: string): string {
  return contents && `<h2>${heading}</h2>\n<div class="${className}">${contents}</div>`;
}

function configTable(config: Record<string, unknown>): string {
  const known = Object.entries(config).filter(([, value]) => value !== undefined);
  const rows = known.map(toCells);
  return rows.length === 0 ? '' : table([], rows);
}

function samplesByModel(samples: readonly Sample[]): string[] {
  return [...new Set(samples.map(({model}) => model))].map((model) => {
    const quotes = samples
      .filter((sample) => sample.model === model)
      .map(
        ({prompt, continuation}) =>
          `<blockquote><b>${escape(prompt)}</b>${escape(shorten(continuation))}</blockquote>`,
      );
    return `<section><h3>${escape(model)}</h3>${quotes.join('')}</section>`;
  });
}

function table(headings: string[][], rows: string[][]): string {
  const line = (tag: string) => (cells: string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${headings.map(line('th')).join('')}${rows.map(line('td')).join('\n')}</table>`;
}

function toCells([name, value]: [string, unknown]): string[] {
  return [name, typeof value === 'string' ? value : JSON.stringify(value)];
}

/** Models that have learned little leave many lines empty. */
function shorten(text: string): string {
  return text.replace(/\s*\n\s*\n\s*/g, '\n\n');
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
