import type {MetricsRecord, MetricsSink} from '../../../training/metrics_log';
import type {TrainingEvents} from './trainer_api';

const MILLISECONDS_BETWEEN = 100;

/** Sends what is logged, a few times a second. */
export class RecordSender implements MetricsSink {
  private waiting: MetricsRecord[] = [];
  private sentAt = -Infinity;
  private sending: void | Promise<void> = undefined;

  constructor(private readonly send: TrainingEvents['onRecords']) {}

  add(record: MetricsRecord) {
    this.waiting.push(record);
    if (performance.now() - this.sentAt > MILLISECONDS_BETWEEN) {
      void this.flush();
    }
  }

  /** Sends what waits; ends when the page has it, and what was sent before. */
  async flush() {
    const {waiting} = this;
    if (waiting.length > 0) {
      this.waiting = [];
      this.sentAt = performance.now();
      this.sending = this.send(waiting);
    }
    await this.sending;
  }
}
