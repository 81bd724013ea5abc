import {type Remote, wrap} from 'comlink';
import type {Trainer} from './worker/trainer';
import type {CreateTrainer} from './worker/worker';

interface Running {
  worker: Worker;
  trainer: Promise<Remote<Trainer>>;
  /** Rejects when the worker ends of itself. */
  crashed: Promise<never>;
}

let running: Running | undefined;

function start(): Running {
  const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), {type: 'module'});
  const crashed = new Promise<never>((_, reject) => {
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message || 'The worker of this page does not start.'));
    };
  });
  crashed.catch(() => undefined);
  const create = wrap<CreateTrainer>(worker);
  return {worker, crashed, trainer: create() as unknown as Promise<Remote<Trainer>>};
}

/** Asks the worker, which is started where none runs; fails where it ends before it answers. */
export async function askTrainer<T>(ask: (trainer: Remote<Trainer>) => Promise<T>): Promise<T> {
  running ??= start();
  const {trainer, crashed} = running;
  return Promise.race([trainer.then(ask), crashed]);
}

/** Ends the worker with all that it has on its backend; the next question starts another. */
export function restartTrainer() {
  running?.worker.terminate();
  running = undefined;
}
