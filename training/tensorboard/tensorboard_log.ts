import {hostname} from 'node:os';
import type {MetricsRecord, MetricsSink} from '../metrics_log';
import type {RunFolder} from '../run_folder';
import {encodeRecord, type TensorBoardEvent} from './event';

/** The charts of TensorBoard, each with its value in a record. */
const SCALARS: Record<string, (record: MetricsRecord) => number | undefined> = {
  'loss/train': ({loss}) => loss,
  'loss/total': ({totalLoss}) => totalLoss,
  'loss/load_balancing': ({loadBalancingLoss}) => loadBalancingLoss,
  'loss/router_z': ({routerZloss}) => routerZloss,
  'loss/validation': ({validationLoss}) => validationLoss,
  'perplexity/validation': ({validationLoss}) => validationLoss && Math.exp(validationLoss),
  'loss/test': ({testLoss}) => testLoss,
  'perplexity/test': ({testLoss}) => testLoss && Math.exp(testLoss),
  'optimizer/gradient_norm': ({gradientNorm}) => gradientNorm,
  'optimizer/learning_rate': ({learningRate}) => learningRate,
  'optimizer/skipped': ({skipped}) => skipped && 1,
  'progress/tokens': ({tokens}) => tokens,
  'progress/seconds': ({seconds}) => seconds,
  'memory/bytes': ({memoryBytes}) => memoryBytes,
};

/** What tells the parts of a folder's files apart that one process after the other writes. */
let files = 0;

/**
 * Writes the metrics of a run for TensorBoard: `tensorboard --logdir FOLDER`. Each run or resumption has a
 * file of its own, as TensorBoard wants it.
 */
export class TensorBoardLog implements MetricsSink {
  private file?: string;

  /** @param folder The files are in its folder `tensorboard`. */
  constructor(private readonly folder: RunFolder) {}

  add(record: MetricsRecord) {
    this.file ??= this.begin(record.step);
    const scalars = Object.fromEntries(
      [...Object.entries(SCALARS), ...expertScalars(record)].flatMap(([name, valueOf]) => {
        const value = valueOf(record);
        return value == null ? [] : [[name, value]];
      }),
    );
    this.append(this.file, {step: record.step, scalars});
  }

  /** Begins a file; what was logged earlier of this step and later ones does not count any more. */
  private begin(step: number): string {
    const seconds = Math.floor(Date.now() / 1000);
    const writer = `${process.pid}.${files++}`;
    const file = `tensorboard/events.out.tfevents.${seconds}.${hostname()}.${writer}`;
    this.append(file, {step: 0, fileVersion: 'brain.Event:2'});
    this.append(file, {step, sessionStart: true});
    return file;
  }

  private append(file: string, event: TensorBoardEvent) {
    this.folder.append(file, [encodeRecord(event, Date.now() / 1000)]);
  }
}

/** Of each layer, the tokens of the fullest expert beside an equal share. */
function expertScalars({tokensPerExpert = []}: MetricsRecord): [string, () => number][] {
  return tokensPerExpert.map((tokens, i) => [
    `experts/fullest_layer_${i + 1}`,
    () => (Math.max(...tokens) * tokens.length) / tokens.reduce((a, b) => a + b, 0),
  ]);
}
