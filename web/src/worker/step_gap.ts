import {CustomCallback} from '@tensorflow/tfjs-layers';

/**
 * What is to be computed with a model that may be in training: between two steps, when it is, else at
 * once; always one thing after the other.
 */
export class StepGap {
  private training = false;
  private readonly waiting: ((training: boolean) => Promise<void>)[] = [];
  private last: Promise<unknown> = Promise.resolve();

  /** @param compute Is told whether the model is in training. */
  run<T>(compute: (training: boolean) => Promise<T>): Promise<T> {
    if (!this.training) {
      const result = this.last.then(() => compute(false));
      this.last = result.catch(() => undefined);
      return result;
    }
    return new Promise((resolve, reject) => {
      this.waiting.push((training) => compute(training).then(resolve, reject));
    });
  }

  /** Trains, with `callback` among the callbacks; nothing else is computed but in its gaps. */
  async whileTraining<T>(train: (callback: CustomCallback) => Promise<T>): Promise<T> {
    // At once: what comes while this waits for the last computation is for the gaps.
    this.training = true;
    try {
      await this.last;
      const onBatchEnd = async () => {
        // Messages come between one task and the next; a step of wasm is a single one.
        await new Promise(requestAnimationFrame);
        await this.drain(true);
      };
      return await train(new CustomCallback({onBatchEnd}, 'never'));
    } finally {
      this.training = false;
      this.last = this.drain(false);
    }
  }

  private async drain(training: boolean) {
    for (let next = this.waiting.shift(); next != null; next = this.waiting.shift()) {
      await next(training);
    }
  }
}
