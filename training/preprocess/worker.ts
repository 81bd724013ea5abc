import {parentPort, workerData} from 'node:worker_threads';
import {createTaskFunction, type Task, type TaskOptions, type TaskResult} from './task';

/** What a worker says: that it is ready, what a task came to, or what went wrong. */
export type WorkerReply = {ready: true} | {result: TaskResult} | {error: string};

/** Serves the thread that started this one. */
export async function serveTasks() {
  const port = parentPort!;
  try {
    const run = await createTaskFunction(workerData as TaskOptions);
    port.on('message', (task: Task) => reply(() => ({result: run(task)})));
    reply(() => ({ready: true}));
  } catch (error) {
    reply(() => ({error: (error as Error).message}));
  }

  function reply(make: () => WorkerReply) {
    let message: WorkerReply;
    try {
      message = make();
    } catch (error) {
      message = {error: (error as Error).message};
    }
    const blocks = 'result' in message ? message.result : [];
    port.postMessage(
      message,
      blocks.flatMap(({tokens, sizes, sequences}) =>
        [tokens, sizes, sequences].map(({buffer}) => buffer as ArrayBuffer),
      ),
    );
  }
}
