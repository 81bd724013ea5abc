import {serveRequests, WorkerThread} from '../worker_thread';
import type {BatchLoader} from './batch_loader';
import {type BatchSource, readBatch} from './batch_source';
import {GptLoader, type GptLoaderConfig} from './gpt_loader';
import type {Split} from './splits';

// Reads samples in a thread of its own: a disk that is slow then holds up nothing else, and the index of
// the samples is built beside the model.

/** What the thread says of each split when it has built the index. */
type Ready = Partial<Record<Split, Pick<BatchSource, 'name' | 'sequenceLength' | 'numSamples'>>>;

interface Request {
  split: Split;
  batch: number;
  batchSize: number;
}

/** Reads the samples of some data sets in a thread. */
export class LoaderThread implements BatchLoader {
  private constructor(
    private readonly thread: WorkerThread<Ready, Request, Int32Array<ArrayBuffer>>,
    private readonly splits: Ready,
  ) {}

  /**
   * Starts the thread and waits for its index.
   *
   * @param file A bundle that calls `serveBatches`.
   * @throws What `GptLoader` throws.
   */
  static async start(config: GptLoaderConfig, file: string): Promise<LoaderThread> {
    const thread = new WorkerThread<Ready, Request, Int32Array<ArrayBuffer>>(file, config);
    try {
      return new LoaderThread(thread, await thread.ready);
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  batches(split: Split, batchSize: number): BatchSource | undefined {
    const found = this.splits[split];
    const read = (batch: number) => this.thread.ask({split, batch, batchSize});
    return found && {...found, batchSize, read};
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}

/** Reads batches for the thread that started this one. */
export async function serveBatches() {
  await serveRequests((config: GptLoaderConfig) => {
    const {splits} = new GptLoader(config);
    const ready = Object.fromEntries(
      Object.entries(splits).map(([split, {name, sequenceLength, length}]) => [
        split,
        {name, sequenceLength, numSamples: length},
      ]),
    ) as Ready;
    return {
      ready,
      answer: ({split, batch, batchSize}: Request) => readBatch(splits[split]!, batch, batchSize),
      transfer: ({buffer}) => [buffer],
    };
  });
}
