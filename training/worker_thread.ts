import {parentPort, type Transferable, Worker, workerData} from 'node:worker_threads';

// A thread that answers requests, one after the other. Both sides of the conversation are here.

type Message<Ready, Reply> = {ready: Ready} | {reply: Reply} | {error: string};

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A thread, seen from the one that asks. */
export class WorkerThread<Ready, Request, Reply> {
  /** What it says when it can be asked; fails where it cannot start. */
  readonly ready: Promise<Ready>;
  private readonly worker: Worker;
  /** In the order of the answers. */
  private readonly waiting: Waiting[] = [];
  /** Why nothing will be answered any more. */
  private failure?: Error;
  private readonly ended: Promise<void>;

  /**
   * @param file A bundle that calls `serveRequests`.
   * @param data What it is given.
   */
  constructor(file: string, data: unknown) {
    this.worker = new Worker(file, {workerData: data});
    this.worker.on('message', (message: Message<Ready, Reply>) => this.receive(message));
    this.worker.on('error', (error) => this.fail(error as Error));
    this.worker.on('messageerror', (error) => this.fail(error));
    // Waited for from here on: a thread that could not start may have ended before it is closed.
    this.ended = new Promise((resolve) => {
      this.worker.on('exit', () => {
        this.fail(new Error('a worker ended before its work'));
        resolve();
      });
    });
    this.ready = this.nextAnswer() as Promise<Ready>;
    this.ready.catch(() => undefined); // Those who wait for it are told.
  }

  /** Requests without an answer so far. */
  get pending(): number {
    return this.waiting.length;
  }

  ask(request: Request): Promise<Reply> {
    // Copied, not moved: parts of what is sent may share their memory.
    this.worker.postMessage(request);
    return this.nextAnswer() as Promise<Reply>;
  }

  async close() {
    await this.worker.terminate();
    await this.ended;
  }

  private nextAnswer(): Promise<unknown> {
    if (this.failure) {
      return Promise.reject(this.failure);
    }
    return new Promise((resolve, reject) => this.waiting.push({resolve, reject}));
  }

  private receive(message: Message<Ready, Reply>) {
    const next = this.waiting.shift();
    if (!next) {
      return; // It failed before, and those who waited were told.
    }
    const {resolve, reject} = next;
    if ('error' in message) {
      reject(new Error(message.error));
    } else {
      resolve('ready' in message ? message.ready : message.reply);
    }
  }

  private fail(error: Error) {
    this.failure ??= error;
    this.waiting.splice(0).forEach(({reject}) => reject(error));
  }
}

/** What a thread does: it says something when it is ready, then answers requests. */
export interface Service<Ready, Request, Reply> {
  ready: Ready;
  answer: (request: Request) => Reply;
  /** Memory of an answer that is moved, not copied. */
  transfer: (reply: Reply) => Transferable[];
}

/**
 * Answers the thread that started this one.
 *
 * @param start Makes the service of what that thread has given.
 */
export async function serveRequests<Ready, Request, Reply>(
  start: (data: never) => Promise<Service<Ready, Request, Reply>> | Service<Ready, Request, Reply>,
) {
  const port = parentPort!;
  const post = (message: Message<Ready, Reply>, transfer: Transferable[] = []) =>
    port.postMessage(message, transfer);
  try {
    const {ready, answer, transfer} = await start(workerData as never);
    port.on('message', (request: Request) => {
      try {
        const reply = answer(request);
        post({reply}, transfer(reply));
      } catch (error) {
        post({error: (error as Error).message});
      }
    });
    post({ready});
  } catch (error) {
    post({error: (error as Error).message});
  }
}
