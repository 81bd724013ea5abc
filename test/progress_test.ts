import {createProgress} from '../training/progress';

/** A stream that keeps what is written to it. */
function stream(isTTY: boolean) {
  const written: string[] = [];
  const calls = {cursorTo: () => true, clearLine: () => true, moveCursor: () => true};
  return {
    ...calls,
    ...{isTTY, columns: 120, rows: 24},
    written,
    write: (text: string) => written.push(text) > 0,
  };
}

describe('progress without a terminal', () => {
  it('is a line now and then, with the loss, the speed and the time that is left', () => {
    const output = stream(false);
    const progress = createProgress('dMoE', 0, 100, output as never);
    for (let step = 1; step <= 100; step++) {
      progress.step({step, loss: 5, seconds: 1, tokens: 2048});
    }
    progress.note('a note');
    progress.stop();
    const lines = output.written.join('').trim().split('\n');
    expect(lines[0]).toBe('dMoE step 1/100 · loss 5.000 · 2,048 tokens/s · 1:39 left');
    expect(lines[1]).toBe('dMoE step 11/100 · loss 5.000 · 2,048 tokens/s · 1:29 left');
    expect(lines.slice(-2)).toEqual([
      'dMoE step 100/100 · loss 5.000 · 2,048 tokens/s · 0 s left',
      'a note',
    ]);
    expect(lines.length).toBe(12);
  });

  it('averages over the last steps', () => {
    const output = stream(false);
    const progress = createProgress('dMoE', 0, 1000, output as never);
    for (let step = 1; step <= 300; step++) {
      progress.step({step, loss: step <= 150 ? 9 : 3, seconds: 10, tokens: step <= 150 ? 10 : 70});
    }
    expect(output.written.at(-1)).toBe(
      'dMoE step 300/1000 · loss 3.003 · 7 tokens/s · 1:56:40 left\n',
    );
  });
});

const FULL = {
  ...{step: 20, loss: 4.5, seconds: 0.5, tokens: 1024, flops: 2e11, peakFlops: 4e12},
  ...{loadBalancingLoss: 0.0123, routerZloss: 0.001, gradientNorm: 1.234, learningRate: 5e-4},
  memoryBytes: 321e6,
};

describe('progress of all that is known', () => {
  it('has it in one line, and the last that is known of the router', () => {
    const output = stream(false);
    const progress = createProgress('dMoE', 0, 40, output as never);
    progress.step(FULL);
    progress.step({...FULL, step: 40, loadBalancingLoss: undefined, routerZloss: undefined});
    const details = (left: string) =>
      'loss 4.500 · balance 0.0123 · z 0.0010 · grad 1.23 · lr 5.00e-4 · 2,048 tokens/s · ' +
      `0.400 TFLOP/s (10.0 %) · 321 MB · ${left} left\n`;
    expect(output.written[0]).toBe(`dMoE step 20/40 · ${details('10 s')}`);
    expect(output.written[1]).toBe(`dMoE step 40/40 · ${details('0 s')}`);
  });

  it('leaves out what matters least where a terminal is narrow', () => {
    const output = {...stream(true), columns: 100};
    const progress = createProgress('dMoE', 0, 40, output as never);
    progress.step(FULL);
    progress.stop();
    const text = output.written.join('');
    expect(text).toContain('20/40 · loss 4.500 · grad 1.23 · 2,048 tokens/s · 10 s left');
    expect(text).not.toContain('TFLOP/s');
  });
});

const SHOW_CURSOR = '\x1b[?25h';

describe('progress on a terminal', () => {
  it('is a bar with the loss, the speed and the time that is left', async () => {
    const output = stream(true);
    const progress = createProgress('dMoE', 10, 40, output as never);
    progress.step({step: 20, loss: 4.5, seconds: 0.5, tokens: 1024});
    progress.note('step 20: validation loss 4.6');
    progress.stop();
    const text = output.written.join('');
    expect(text).toContain('dMoE █');
    expect(text).toContain('20/40 · loss 4.500 · 2,048 tokens/s · 10 s left');
    expect(text).toContain('step 20: validation loss 4.6\n');
  });

  it('gives the cursor back where the program exits', () => {
    const before = process.listeners('exit');
    const output = stream(true);
    const progress = createProgress('dMoE', 0, 40, output as never);
    const [atExit] = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(output.written.join('')).not.toContain(SHOW_CURSOR);
    atExit(130);
    expect(output.written.join('')).toContain(SHOW_CURSOR);
    progress.stop();
    expect(process.listeners('exit')).toEqual(before);
  });
});
