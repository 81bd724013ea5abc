import {MultiBar, type SingleBar} from 'cli-progress';
import {formatBytes, formatDuration} from './format';
import {stopAtExit} from './stop_at_exit';

/** What a step tells those who watch. What is not known is not shown. */
export interface StepReport {
  step: number;
  loss: number;
  /** Of this step alone, as are the tokens and the floating-point operations. */
  seconds: number;
  tokens: number;
  flops?: number;
  /** The operations a second that the device has at most. */
  peakFlops?: number;
  loadBalancingLoss?: number;
  routerZloss?: number;
  gradientNorm?: number;
  learningRate?: number;
  memoryBytes?: number;
}

/** Shows how a training run gets on. */
export interface Progress {
  step(report: StepReport): void;
  /** Says something between the steps. */
  note(text: string): void;
  stop(): void;
}

/** Where progress is shown: a terminal or a file. */
export interface ProgressOutput {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** The loss and the speed are averaged over about so many steps. */
const AVERAGED_STEPS = 20;

/** Without a terminal a line is printed so often. */
const SECONDS_PER_LINE = 10;

/** A bar on a terminal, plain lines elsewhere. */
export function createProgress(
  name: string,
  firstStep: number,
  lastStep: number,
  output: NodeJS.WriteStream = process.stdout,
): Progress {
  return output.isTTY
    ? new ProgressBar(name, firstStep, lastStep, output)
    : new ProgressLines(name, lastStep, output);
}

/** What is shown of the steps: the losses and the speed as averages that forget, the rest as it is. */
class RunningAverages {
  private steps = 0;
  private loss = 0;
  private seconds = 0;
  private tokens = 0;
  /** The router's losses are not known of every step: the last that were are shown. */
  private last: Partial<StepReport> = {};

  update(report: StepReport) {
    const weight = 1 / Math.min(++this.steps, AVERAGED_STEPS);
    this.loss += weight * (report.loss - this.loss);
    this.seconds += weight * (report.seconds - this.seconds);
    this.tokens += weight * (report.tokens - this.tokens);
    this.last = {
      ...report,
      loadBalancingLoss: report.loadBalancingLoss ?? this.last.loadBalancingLoss,
      routerZloss: report.routerZloss ?? this.last.routerZloss,
    };
  }

  /**
   * The columns of the bar and of the lines.
   *
   * @param width Characters at most: what matters least is left out.
   */
  describe(remainingSteps: number, width = Infinity): string {
    const {loadBalancingLoss, routerZloss, gradientNorm, learningRate, memoryBytes} = this.last;
    const columns: [importance: number, text: string | undefined][] = [
      [9, `loss ${this.loss.toFixed(3)}`],
      [5, label('balance', loadBalancingLoss, (x) => x.toFixed(4))],
      [4, routerZloss ? `z ${routerZloss.toFixed(4)}` : undefined],
      [6, label('grad', gradientNorm, (x) => x.toPrecision(3))],
      [3, label('lr', learningRate, (x) => x.toExponential(2))],
      [8, `${Math.round(this.tokens / this.seconds).toLocaleString('en')} tokens/s`],
      [2, this.describeFlops()],
      [1, memoryBytes == null ? undefined : formatBytes(memoryBytes)],
      [7, `${formatDuration(remainingSteps * this.seconds)} left`],
    ];
    let shown = columns.filter(([, text]) => text != null);
    const join = () => shown.map(([, text]) => text).join(' · ');
    while (shown.length > 1 && join().length > width) {
      const least = Math.min(...shown.map(([importance]) => importance));
      shown = shown.filter(([importance]) => importance !== least);
    }
    return join();
  }

  /** The operations of the model a second, and the part of the device's that is. */
  private describeFlops(): string | undefined {
    const {flops, tokens, peakFlops} = this.last;
    if (!flops || !tokens) {
      return undefined;
    }
    const rate = ((flops / tokens) * this.tokens) / this.seconds;
    const part = peakFlops ? ` (${((100 * rate) / peakFlops).toPrecision(3)} %)` : '';
    return `${(rate / 1e12).toPrecision(3)} TFLOP/s${part}`;
  }
}

function label(name: string, value: number | undefined, format: (value: number) => string) {
  return value == null ? undefined : `${name} ${format(value)}`;
}

/** Characters of the bar itself. */
const BAR_SIZE = 24;

class ProgressBar implements Progress {
  private readonly bars: MultiBar;
  private readonly bar: SingleBar;
  private readonly averages = new RunningAverages();

  constructor(
    private readonly name: string,
    firstStep: number,
    private readonly lastStep: number,
    private readonly stream: NodeJS.WriteStream,
  ) {
    this.bars = new MultiBar({
      stream,
      format: `${name} {bar} {value}/{total} · {details}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: BAR_SIZE,
      hideCursor: true,
      // Ctrl-C is the run's own affair: it saves first.
      gracefulExit: false,
    });
    this.bar = this.bars.create(lastStep, firstStep, {details: 'loss -'});
  }

  step(report: StepReport) {
    this.averages.update(report);
    const counts = 2 * String(this.lastStep).length;
    const width = this.stream.columns - this.name.length - BAR_SIZE - counts - '  / · '.length;
    const details = this.averages.describe(this.lastStep - report.step, width);
    this.bar.update(report.step, {details});
  }

  note(text: string) {
    this.bars.log(`${text}\n`);
  }

  readonly stop = stopAtExit(() => {
    this.bars.update();
    this.bars.stop();
  });
}

class ProgressLines implements Progress {
  private readonly averages = new RunningAverages();
  private nextLine = 0;
  private seconds = 0;

  constructor(
    private readonly name: string,
    private readonly lastStep: number,
    private readonly output: {write(text: string): unknown},
  ) {}

  step(report: StepReport) {
    this.averages.update(report);
    this.seconds += report.seconds;
    if (this.seconds < this.nextLine && report.step < this.lastStep) {
      return;
    }
    this.nextLine = this.seconds + SECONDS_PER_LINE;
    const details = this.averages.describe(this.lastStep - report.step);
    this.note(`${this.name} step ${report.step}/${this.lastStep} · ${details}`);
  }

  note(text: string) {
    this.output.write(`${text}\n`);
  }

  stop() {}
}
