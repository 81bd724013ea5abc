import {constants} from 'node:os';
import type {StopRequest} from '../../training/stop_request';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** One Ctrl-C can come twice, from the terminal and from npm, which passes it on. */
const SAME_SIGNAL_MS = 1000;

/**
 * What Ctrl-C does: the first one ends the training after the step under way, a second one ends the
 * program. Where nothing is being trained there is nothing to save, and the first one ends it.
 */
export class Interrupts {
  private training?: StopRequest;
  private received?: NodeJS.Signals;
  private receivedAt = 0;

  constructor() {
    SIGNALS.forEach((signal) => process.on(signal, () => this.receive(signal)));
  }

  /** Whether the program was asked to end. */
  get interrupted(): boolean {
    return this.received != null;
  }

  /** What a shell expects of a program that a signal ended. */
  get exitCode(): number {
    return 128 + constants.signals[this.received ?? 'SIGINT'];
  }

  /** Says what an interrupt has to stop, or that there is nothing. */
  watch(training: StopRequest | undefined) {
    this.training = training;
  }

  private receive(signal: NodeJS.Signals) {
    const again = this.interrupted;
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
