import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import {createTaskFunction, type Task, type TaskOptions, type TaskResult} from './task';
import type {WorkerReply} from './worker';

/** Does tasks, several at a time. */
export interface TaskRunner {
  /** Tasks that are worth having under way at once. */
  readonly concurrency: number;
  run(task: Task): Promise<TaskResult>;
  close(): Promise<void>;
}

/** Does tasks in this thread. */
export async function createInlineRunner(options: TaskOptions): Promise<TaskRunner> {
  const run = await createTaskFunction(options);
  return {concurrency: 1, run: async (task) => run(task), close: async () => undefined};
}

/**
 * Does tasks in threads of their own.
 *
 * @param file The bundle of `worker.ts`.
 * @throws If a worker cannot start, since the tokenizer cannot be loaded.
 */
export async function createThreadRunner(
  options: TaskOptions,
  file: string,
  numWorkers: number,
): Promise<TaskRunner> {
  const threads = Array.from({length: numWorkers}, () => new Thread(file, options));
  const close = async () => {
    await Promise.all(threads.map((thread) => thread.close()));
  };
  try {
    await Promise.all(threads.map((thread) => thread.ready()));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    // A task waits at each worker, so that none waits for a task.
    concurrency: 2 * numWorkers,
    run: (task) => {
      const idlest = threads.reduce((best, thread) =>
        thread.pending < best.pending ? thread : best,
      );
      return idlest.run(task);
    },
    close,
  };
}

/** A worker, which answers in the order in which it is asked. */
class Thread {
  private readonly worker: Worker;
  private readonly waiting: {
    resolve: (reply: WorkerReply) => void;
    reject: (error: Error) => void;
  }[] = [];
  private readonly started: Promise<WorkerReply>;

  constructor(file: string, options: TaskOptions) {
    this.worker = new Worker(file, {workerData: options});
    this.started = this.nextReply();
    this.started.catch(() => undefined); // It is thrown by `ready`.
    this.worker.on('message', (reply: WorkerReply) => {
      const {resolve, reject} = this.waiting.shift()!;
      if ('error' in reply) {
        reject(new Error(reply.error));
      } else {
        resolve(reply);
      }
    });
    this.worker.on('error', (error) => this.fail(error as Error));
    this.worker.on('exit', () =>
      this.fail(new Error('preprocess: a worker ended before its work')),
    );
  }

  get pending(): number {
    return this.waiting.length;
  }

  async ready() {
    await this.started;
  }

  async run(task: Task): Promise<TaskResult> {
    const reply = this.nextReply();
    // Copied, not moved: small parts of the input share their memory.
    this.worker.postMessage(task);
    return ((await reply) as {result: TaskResult}).result;
  }

  private fail(error: Error) {
    this.waiting.splice(0).forEach(({reject}) => reject(error));
  }

  private nextReply(): Promise<WorkerReply> {
    return new Promise((resolve, reject) => this.waiting.push({resolve, reject}));
  }

  async close() {
    const exit = once(this.worker, 'exit');
    await this.worker.terminate();
    await exit;
  }
}
