import {explainOutOfMemory} from '../training/out_of_memory';

describe('an error of too little memory', () => {
  it.each([
    'Aborted(). Build with -sASSERTIONS for more info.',
    'Array buffer allocation failed',
    'Invalid typed array length: 9999999999',
    'OOM when allocating tensor with shape[4096,51200] on GPU:0',
    'the device ran out of memory',
  ])('names the micro-batch to try: %s', (message) => {
    const cause = new RangeError(message);
    const error = explainOutOfMemory(cause, 12, 4);
    expect(error.message).toBe(
      'out of memory with a micro-batch of 12: try a micro-batch of 6, 8 of them a step, which gives ' +
        `the same updates (${message})`,
    );
    expect(error.cause).toBe(cause);
  });

  it.each([
    [9, 2, 'try a micro-batch of 3, 6 of them a step'],
    [7, 1, 'try a micro-batch of 1, 7 of them a step'],
    [1, 8, 'a micro-batch is one sample already: try shorter sequences or a smaller model'],
  ])('keeps the samples of a step: %d, %d times', (size, times, advice) => {
    expect(explainOutOfMemory(new Error('out of memory'), size, times).message).toContain(advice);
  });

  it('is no other error', () => {
    const other = new Error('matMul: shapes must fit');
    expect(explainOutOfMemory(other, 4, 1)).toBe(other);
  });
});
