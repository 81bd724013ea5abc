import type {MetricsRecord} from '../training/metrics_log';
import {renderFigure} from '../training/report/figure';
import {renderPage} from '../training/report/page';
import type {ReportedModel} from '../training/report/panel';
import {
  compareResults,
  formatTable,
  type ModelResult,
  resultsTable,
} from '../training/report/results';

/** Forty steps of a loss that falls from 4 to 3; two layers of three experts, one without tokens. */
function model(name: string, {experts = false, flopsPerStep = 2e9} = {}): ReportedModel {
  const records: MetricsRecord[] = [];
  for (let step = 1; step <= 40; step++) {
    const seconds = step / 2;
    records.push({step, seconds, loss: 4 - step / 40});
    if (step % 10 === 0) {
      records.push({step, seconds, validationLoss: 4.1 - step / 40});
    }
    if (experts && step % 5 === 0) {
      records.push({
        step,
        seconds,
        tokensPerExpert: [
          [0, 10, 20],
          [10, 10, 10],
        ],
      });
    }
  }
  return {name, flopsPerStep, records};
}

const heading = {title: 'A title', subtitle: 'and what it is about'};

function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
}

describe('the figure', () => {
  const svg = renderFigure([model('dMoE', {experts: true}), model('dense')], heading);

  it('has the curves of every model over steps, compute and time', () => {
    expect(texts(svg)).toEqual(
      expect.arrayContaining([
        ...['A title', 'and what it is about'],
        ...['dMoE, training', 'dMoE, validation', 'dense, training', 'dense, validation'],
        ...['Loss over steps', 'Loss over compute', 'Loss over training time'],
        ...['steps', 'GFLOP', 'seconds'],
      ]),
    );
    // Three charts of two models: a line each for training and validation.
    for (const color of ['#0072b2', '#d55e00']) {
      const lines = svg.match(
        new RegExp(`<path d="M[^"]*" fill="none"[^>]*stroke="${color}"`, 'g'),
      )!;
      expect(lines.filter((line) => line.split(/[LC]/).length > 3).length).toBeGreaterThanOrEqual(
        6,
      );
    }
  });

  it('has a map of the load for every layer with experts', () => {
    expect(texts(svg)).toEqual(
      expect.arrayContaining(['Load of the experts', 'dMoE, layer 1', 'dMoE, layer 2']),
    );
    expect(texts(svg)).not.toContain('dense, layer 1');
    const fills = [...svg.matchAll(/fill="(rgb\([^"]*\)|#[0-9a-f]{6})"/gi)].map(([, fill]) => fill);
    // Eight samples of an idle expert, and the 4 times 8 cells of a balanced share.
    expect(fills.filter((fill) => isColor(fill, [33, 102, 172])).length).toBeGreaterThanOrEqual(8);
    expect(fills.filter((fill) => isColor(fill, [247, 247, 247])).length).toBe(32);
  });

  it('is well-formed XML that needs no other file', () => {
    expect(svg.startsWith('<svg ')).toBe(true);
    expect(svg).not.toMatch(/href="(?!#)|url\((?!#)|<script/);
    // Attributes are only broken by a quote inside of one.
    expect(svg.replace(/<[a-z]+( [\w:-]+="[^"<]*")*\s*\/?>|<\/[a-z]+>/gi, '')).not.toMatch(/[<>]/);
  });

  it('is drawn for one dense model, and for one that has hardly begun', () => {
    expect(texts(renderFigure([model('dense')], heading))).not.toContain('Load of the experts');
    const begun = {...model('dMoE'), records: [{step: 1, seconds: 0.5, loss: 7}]};
    expect(renderFigure([begun], heading)).toContain('dMoE, training');
    expect(renderFigure([{...begun, records: []}], heading)).toContain('Loss over steps');
  });

  it('is drawn for long runs', () => {
    const records = Array.from({length: 150_000}, (_, i) => ({
      ...{step: i + 1, seconds: i, loss: 3 + 1 / (i + 1)},
      ...(i % 1000 === 999 && {validationLoss: 3.1}),
    }));
    const long = renderFigure([{name: 'dense', flopsPerStep: 1, records}], heading);
    expect(texts(long)).toContain('Loss over steps');
  });

  it('shows no more cells than one can look at', () => {
    const tokens = Array.from({length: 12}, () => Array.from({length: 64}, (_, i) => i));
    const records = Array.from({length: 500}, (_, i) => ({
      ...{step: i + 1, seconds: i, loss: 3},
      tokensPerExpert: tokens,
    }));
    const large = renderFigure([{name: 'dMoE', flopsPerStep: 1, records}], heading);
    expect(large.length).toBeLessThan(4_000_000);
    expect(texts(large)).toContain('dMoE, layer 12');
  });
});

const result: ModelResult = {
  ...{name: 'dMoE', steps: 1200, parameters: 4_740_123, activeParameters: 1_070_000},
  ...{flopsPerToken: 7.1e6, trainLoss: 3.12345, validationLoss: 3.5, perplexity: Math.exp(3.5)},
  ...{bitsPerByte: 1.6, tokensPerSecond: 12345.6, seconds: 83},
};

describe('the comparison', () => {
  it('says how far apart two models are', () => {
    const dense = {...result, name: 'dense', validationLoss: 3.56, tokensPerSecond: 15432};
    expect(compareResults({...result, flopsPerToken: 7.2e6}, dense)).toBe(
      'dMoE is 0.060 nats a token below dense in validation loss, at 1.01 of its FLOPs a token ' +
        'and 0.80 of its tokens a second.',
    );
    expect(compareResults(dense, result)).toContain('dense is 0.060 nats a token above dMoE');
  });
});

describe('the table', () => {
  it('has a row a model', () => {
    const [headings, row] = resultsTable([result]);
    expect(Object.fromEntries(headings.map((name, i) => [name, row[i]]))).toEqual({
      ...{model: 'dMoE', steps: '1,200', parameters: '4.74 M', active: '1.07 M'},
      ...{'FLOPs/token': '7.10 M', 'train loss': '3.123', 'val loss': '3.500'},
      ...{perplexity: '33.12', 'bits/byte': '1.600', 'tokens/s': '12,346', time: '1:23'},
    });
  });

  it('is aligned', () => {
    expect(
      formatTable([
        ['model', 'loss'],
        ['dMoE', '3.1'],
        ['dense', '13.25'],
      ]),
    ).toBe(['model   loss', '─────  ─────', 'dMoE     3.1', 'dense  13.25'].join('\n'));
  });
});

describe('the page', () => {
  const page = renderPage({
    title: 'dMoE & dense',
    figure: '<svg id="figure"></svg>',
    results: resultsTable([result]),
    notes: ['it is <fast>'],
    samples: [{model: 'dMoE', prompt: 'The <b>', continuation: ' "whale" & so on\n \n\n\n end'}],
    config: {layers: 4, models: ['dmoe'], data: 'a <folder>'},
  });

  it('has the figure, the results, the samples and the options', () => {
    expect(page).toContain('<svg id="figure"></svg>');
    expect(page).toContain('<td>33.12</td>');
    expect(page).toContain('<tr><td>layers</td><td>4</td></tr>');
    expect(page).toContain('[&#34;dmoe&#34;]');
  });

  it('leaves options out that are not known', () => {
    const known = renderPage({
      title: '',
      figure: '',
      results: [[]],
      config: {cpu: undefined, cores: 2},
    });
    expect(known).toContain('<td>cores</td><td>2</td>');
    expect(known).not.toContain('cpu');
  });

  it('escapes what it did not write itself', () => {
    expect(page).toContain('<title>dMoE &#38; dense</title>');
    expect(page).toContain('<b>The &#60;b&#62;</b> &#34;whale&#34; &#38; so on\n\nend');
    expect(page).toContain('a &#60;folder&#62;');
    expect(page).toContain('<p>it is &#60;fast&#62;</p>');
  });

  it('needs no other file', () => {
    expect(page).not.toMatch(/<link|<script|src=|href=|url\(|@import/);
  });
});

function isColor(fill: string, [red, green, blue]: number[]): boolean {
  const hex = /^#(..)(..)(..)$/.exec(fill);
  const values = hex
    ? hex.slice(1).map((pair) => parseInt(pair, 16))
    : fill.match(/\d+/g)!.slice(0, 3).map(Number);
  return values[0] === red && values[1] === green && values[2] === blue;
}
