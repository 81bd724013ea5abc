import type {RunStorage} from './run_storage';

/** What one line of the log says. Every line has the step, counted from 1, and the training time. */
export interface MetricsRecord {
  step: number;
  /** Seconds spent in training steps so far, evaluation left out. */
  seconds: number;
  /** The cross-entropy of the step's batch, in nats a token. */
  loss?: number;
  /** The sum of all losses: the cross-entropy and the router's. */
  totalLoss?: number;
  learningRate?: number;
  /** The global norm of the gradients, before clipping. */
  gradientNorm?: number;
  /** The cross-entropy on the validation text. */
  validationLoss?: number;
  /** The tokens that each expert got in this step's batch, layer by layer. */
  tokensPerExpert?: number[][];
}

const FILE = 'metrics.jsonl';

/** The metrics of a run, in memory and as lines of JSON in its folder. */
export class MetricsLog {
  private constructor(
    private readonly folder: RunStorage,
    readonly records: MetricsRecord[],
  ) {}

  /** A log that starts anew, or goes on after `step`: what an interrupted run logged later is cut. */
  static open(folder: RunStorage, step = 0): MetricsLog {
    const records = step > 0 ? MetricsLog.read(folder, step) : [];
    void folder.write(FILE, records.map(toLine).join(''));
    return new MetricsLog(folder, records);
  }

  /** What is logged up to a step. */
  static read(folder: RunStorage, step: number): MetricsRecord[] {
    const lines = new TextDecoder().decode(folder.read(FILE)).split('\n');
    return lines.flatMap(parseLine).filter((record) => record.step <= step);
  }

  add(record: MetricsRecord) {
    this.records.push(record);
    this.folder.append(FILE, toLine(record));
  }

  /** The training time so far. */
  get seconds(): number {
    return this.records.at(-1)?.seconds ?? 0;
  }
}

function toLine(record: MetricsRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** A line that a crash cut short is left out. */
function parseLine(line: string): MetricsRecord[] {
  try {
    return [JSON.parse(line) as MetricsRecord];
  } catch {
    return [];
  }
}
