import type {MetricsRecord, MetricsSink} from '../../../training/metrics_log';

const MILLISECONDS_BETWEEN = 100;

/** Sends what is logged, a few times a second. */
export class RecordSender implements MetricsSink {
  private waiting: MetricsRecord[] = [];
  private sentAt = -Infinity;

  constructor(private readonly send: (records: MetricsRecord[]) => void) {}

  add(record: MetricsRecord) {
    this.waiting.push(record);
    if (performance.now() - this.sentAt > MILLISECONDS_BETWEEN) {
      this.flush();
    }
  }

  /** Sends what waits. */
  flush() {
    if (this.waiting.length > 0) {
      this.send(this.waiting);
      this.waiting = [];
      this.sentAt = performance.now();
    }
  }
}
