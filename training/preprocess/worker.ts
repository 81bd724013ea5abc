import type {Transferable} from 'node:worker_threads';
import {serveRequests} from '../worker_thread';
import {createTaskFunction, type TaskOptions} from './task';

/** Does tasks for the thread that started this one. */
export async function serveTasks() {
  await serveRequests(async (options: TaskOptions) => ({
    ready: undefined,
    answer: await createTaskFunction(options),
    transfer: (blocks) =>
      blocks.flatMap(({tokens, sizes, sequences}) =>
        [tokens, sizes, sequences].map(({buffer}) => buffer as Transferable),
      ),
  }));
}
