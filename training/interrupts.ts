import {constants} from 'node:os';
import {setImmediate} from 'node:timers/promises';
import type {StopRequest} from './stop_request';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What ends early where it is asked to. */
type Stoppable = Pick<StopRequest, 'request'>;

/** One Ctrl-C can come twice, from the terminal and from npm, which passes it on. */
const SAME_SIGNAL_MS = 1000;

/**
 * What Ctrl-C does: the first one ends the training after the step under way, or what follows it after
 * the evaluation or sample under way; a second one ends the program. Where no model is in work there is
 * nothing to save, and the first one ends it.
 */
export class Interrupts {
  private training?: Stoppable;
  private received?: NodeJS.Signals;
  private receivedAt = 0;

  private readonly listener = (signal: NodeJS.Signals) => this.receive(signal);

  constructor() {
    SIGNALS.forEach((signal) => process.on(signal, this.listener));
  }

  /** Ends the watch: signals do again what they do by themselves. */
  dispose() {
    SIGNALS.forEach((signal) => process.off(signal, this.listener));
  }

  /** Whether the program was asked to end. Signals that wait are received first. */
  async check(): Promise<boolean> {
    // Computing holds them up; they come between one turn of the event loop and the next.
    await setImmediate();
    await setImmediate();
    return this.received != null;
  }

  /** What a shell expects of a program that a signal ended. */
  get exitCode(): number {
    return 128 + constants.signals[this.received ?? 'SIGINT'];
  }

  /** Says what an interrupt has to stop, or that there is nothing. */
  watch(training: Stoppable | undefined) {
    this.training = training;
  }

  private receive(signal: NodeJS.Signals) {
    const again = this.received != null;
    if (again && performance.now() - this.receivedAt < SAME_SIGNAL_MS) {
      return;
    }
    this.received = signal;
    this.receivedAt = performance.now();
    if (again || this.training == null) {
      process.exit(this.exitCode);
    }
    this.training.request(signal);
  }
}
