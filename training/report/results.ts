import {formatCount, formatDuration, formatPerplexity} from '../format';

/** What one trained model came to. */
export interface ModelResult {
  name: string;
  /** Steps done. */
  steps: number;
  parameters: number;
  /** Those that compute for one token. */
  activeParameters: number;
  flopsPerToken: number;
  /** The mean cross-entropy of the last steps, in nats a token. */
  trainLoss: number;
  /** The cross-entropy on the validation text, in nats a token; NaN where there is none. */
  validationLoss: number;
  perplexity: number;
  /** The cross-entropy on the test text, where there is one. */
  testLoss?: number;
  /**
   * The validation loss without the tokenizer's part in it: bits for each byte of the text. Known where
   * the text is.
   */
  bitsPerByte?: number;
  tokensPerSecond: number;
  /** The time of the training steps. */
  seconds: number;
}

/** What a cell says of what is not known. */
const UNKNOWN = '-';

/** The columns of the final table: a heading, and what stands below it. */
const COLUMNS: [heading: string, cell: (result: ModelResult) => string][] = [
  ['model', ({name}) => name],
  ['steps', ({steps}) => steps.toLocaleString('en')],
  ['parameters', ({parameters}) => formatCount(parameters)],
  ['active', ({activeParameters}) => formatCount(activeParameters)],
  ['FLOPs/token', ({flopsPerToken}) => formatCount(flopsPerToken)],
  ['train loss', ({trainLoss}) => fixed(trainLoss)],
  ['val loss', ({validationLoss}) => fixed(validationLoss)],
  [
    'perplexity',
    ({validationLoss}) => (isKnown(validationLoss) ? formatPerplexity(validationLoss) : UNKNOWN),
  ],
  ['test loss', ({testLoss}) => fixed(testLoss)],
  ['bits/byte', ({bitsPerByte}) => fixed(bitsPerByte)],
  ['tokens/s', ({tokensPerSecond}) => Math.round(tokensPerSecond).toLocaleString('en')],
  ['time', ({seconds}) => formatDuration(seconds)],
];

function isKnown(value: number | undefined): value is number {
  return value != null && !Number.isNaN(value);
}

function fixed(value: number | undefined): string {
  return isKnown(value) ? value.toFixed(3) : UNKNOWN;
}

/** The results as rows of text, the headings first, without the columns of which nothing is known. */
export function resultsTable(results: readonly ModelResult[]): string[][] {
  const columns = COLUMNS.filter(([, cell]) => results.some((result) => cell(result) !== UNKNOWN));
  return [
    columns.map(([heading]) => heading),
    ...results.map((result) => columns.map(([, cell]) => cell(result))),
  ];
}

/** One line that sets a model beside another. */
export function compareResults(model: ModelResult, baseline: ModelResult): string {
  const gain = baseline.validationLoss - model.validationLoss;
  return (
    `${model.name} is ${Math.abs(gain).toFixed(3)} nats a token ${gain >= 0 ? 'below' : 'above'} ` +
    `${baseline.name} in validation loss, at ` +
    `${(model.flopsPerToken / baseline.flopsPerToken).toFixed(2)} of its FLOPs a token and ` +
    `${(model.tokensPerSecond / baseline.tokensPerSecond).toFixed(2)} of its tokens a second.`
  );
}

/** A table for a terminal: the first column to the left, the numbers to the right. */
export function formatTable(rows: readonly string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}
