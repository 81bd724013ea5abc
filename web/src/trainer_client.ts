import {proxy, type Remote, wrap} from 'comlink';
import type {Trainer} from './worker/trainer';
import type {CreateTrainer} from './worker/worker';

interface Running {
  trainer: Promise<Remote<Trainer>>;
  /** Rejects when the worker ends. */
  ended: Promise<never>;
  end: (reason: Error) => void;
}

let running: Running | undefined;

function start(): Running {
  const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), {type: 'module'});
  let fail!: (reason: Error) => void;
  const ended = new Promise<never>((_, reject) => (fail = reject));
  ended.catch(() => undefined); // It may end while nothing is asked of it.
  const end = (reason: Error) => {
    worker.terminate();
    fail(reason);
    if (running?.ended === ended) {
      running = undefined;
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(
      new Error(
        event.message || 'The worker of this page does not start. Loading the page again may help.',
      ),
    );
  };
  const onLost = proxy((message: string) => end(new Error(message)));
  const trainer = wrap<CreateTrainer>(worker)(onLost) as unknown as Promise<Remote<Trainer>>;
  trainer.catch(end);
  return {trainer, ended, end};
}

/** Asks the worker, which is started where none runs; fails where it ends before it answers. */
export async function askTrainer<T>(ask: (trainer: Remote<Trainer>) => Promise<T>): Promise<T> {
  running ??= start();
  const {trainer, ended} = running;
  return Promise.race([trainer.then(ask), ended]);
}

/**
 * Ends the worker with all that it has on its backend; the next question starts another.
 *
 * @param reason What those hear that wait for an answer.
 */
export function endTrainer(reason: Error) {
  running?.end(reason);
}
