import type {RunStorage} from './run_storage';

/** What one line of the log says. Every line has the step, counted from 1, and the training time. */
export interface MetricsRecord {
  step: number;
  /** Seconds spent in training steps so far, evaluation left out. */
  seconds: number;
  /** Tokens that the model was trained on so far. */
  tokens?: number;
  /** The cross-entropy of the step's batch, in nats a token. */
  loss?: number;
  /** The sum of all losses: the cross-entropy and the router's. */
  totalLoss?: number;
  /** The load-balancing losses of all layers as they joined the loss, where the routing was looked at. */
  loadBalancingLoss?: number;
  /** The router z-losses likewise. */
  routerZloss?: number;
  learningRate?: number;
  /** The global norm of the gradients, before clipping. */
  gradientNorm?: number;
  /** Whether the loss or the gradients were not finite, so that the step changed nothing. */
  skipped?: true;
  /** Bytes of all tensors, on the device where there is one. */
  memoryBytes?: number;
  /** The cross-entropy on the validation text. */
  validationLoss?: number;
  /** The cross-entropy on the test text, at the end of the run. */
  testLoss?: number;
  /** The tokens that each expert got in this step's batch, layer by layer. */
  tokensPerExpert?: number[][];
}

/** Something that takes the metrics of a run as they come. */
export interface MetricsSink {
  add(record: MetricsRecord): void;
}

export const METRICS_FILE = 'metrics.jsonl';

/** The metrics of a run, in memory and as lines of JSON in its folder. */
export class MetricsLog implements MetricsSink {
  /** Whether the file has no records but these. */
  private isCut = false;

  private constructor(
    private readonly folder: RunStorage,
    readonly records: MetricsRecord[],
  ) {
    this.cut();
  }

  /** A log that starts anew, or goes on after `step`: what an interrupted run logged later is cut. */
  static open(folder: RunStorage, step = 0): MetricsLog {
    return new MetricsLog(folder, step > 0 ? MetricsLog.read(folder, step) : []);
  }

  /** What is logged up to a step, or all of it. */
  static read(folder: RunStorage, step = Infinity): MetricsRecord[] {
    return parseMetrics(folder.read(METRICS_FILE)).filter((record) => record.step <= step);
  }

  add(record: MetricsRecord) {
    this.records.push(record);
    if (this.isCut) {
      this.folder.append(METRICS_FILE, toLine(record));
    } else {
      this.cut();
    }
  }

  /** On a full disk the file stays as it was, until there is room. */
  private cut() {
    this.isCut = this.folder.write(METRICS_FILE, this.records.map(toLine).join('')) !== false;
  }

  /** The training time so far. */
  get seconds(): number {
    return this.records.at(-1)?.seconds ?? 0;
  }

  /** The tokens so far. */
  get tokens(): number {
    return this.records.at(-1)?.tokens ?? 0;
  }
}

function toLine(record: MetricsRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** The records of a log's file; none where there is no file. */
export function parseMetrics(file: Uint8Array | undefined): MetricsRecord[] {
  return new TextDecoder().decode(file).split('\n').flatMap(parseLine);
}

/** A line that a crash cut short is left out. */
function parseLine(line: string): MetricsRecord[] {
  try {
    return [JSON.parse(line) as MetricsRecord];
  } catch {
    return [];
  }
}
