import {MultiBar, type SingleBar} from 'cli-progress';
import {formatDuration} from './format';

/** What a step tells those who watch. */
export interface StepReport {
  step: number;
  loss: number;
  /** Of this step alone. */
  seconds: number;
  tokens: number;
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

/** Averages that forget: of the loss, of the time a step takes, and of the tokens a second. */
class RunningAverages {
  private steps = 0;
  loss = 0;
  seconds = 0;
  tokens = 0;

  update({loss, seconds, tokens}: StepReport) {
    const weight = 1 / Math.min(++this.steps, AVERAGED_STEPS);
    this.loss += weight * (loss - this.loss);
    this.seconds += weight * (seconds - this.seconds);
    this.tokens += weight * (tokens - this.tokens);
  }

  /** The columns of the bar and of the lines. */
  describe(remainingSteps: number) {
    return {
      loss: this.loss.toFixed(3),
      speed: Math.round(this.tokens / this.seconds).toLocaleString('en'),
      left: formatDuration(remainingSteps * this.seconds),
    };
  }
}

class ProgressBar implements Progress {
  private readonly bars: MultiBar;
  private readonly bar: SingleBar;
  private readonly averages = new RunningAverages();

  constructor(
    name: string,
    firstStep: number,
    private readonly lastStep: number,
    stream: NodeJS.WriteStream,
  ) {
    this.bars = new MultiBar({
      stream,
      format: `${name} {bar} {value}/{total} · loss {loss} · {speed} tokens/s · {left} left`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      hideCursor: true,
      // Ctrl-C is the run's own affair: it saves first.
      gracefulExit: false,
    });
    this.bar = this.bars.create(lastStep, firstStep, {loss: '-', speed: '-', left: '-'});
  }

  step(report: StepReport) {
    this.averages.update(report);
    this.bar.update(report.step, this.averages.describe(this.lastStep - report.step));
  }

  note(text: string) {
    this.bars.log(`${text}\n`);
  }

  stop() {
    this.bars.update();
    this.bars.stop();
  }
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
    const {loss, speed, left} = this.averages.describe(this.lastStep - report.step);
    this.note(
      `${this.name} step ${report.step}/${this.lastStep} · loss ${loss} · ` +
        `${speed} tokens/s · ${left} left`,
    );
  }

  note(text: string) {
    this.output.write(`${text}\n`);
  }

  stop() {}
}
