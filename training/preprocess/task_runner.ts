import {WorkerThread} from '../worker_thread';
import {createTaskFunction, type Task, type TaskOptions, type TaskResult} from './task';

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
 * @param file A bundle that calls `serveTasks`.
 * @throws If a worker cannot start, since the tokenizer cannot be loaded.
 */
export async function createThreadRunner(
  options: TaskOptions,
  file: string,
  numWorkers: number,
): Promise<TaskRunner> {
  const threads = Array.from(
    {length: numWorkers},
    () => new WorkerThread<undefined, Task, TaskResult>(file, options),
  );
  const close = async () => {
    await Promise.all(threads.map((thread) => thread.close()));
  };
  try {
    await Promise.all(threads.map((thread) => thread.ready));
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
      return idlest.ask(task);
    },
    close,
  };
}
