/** What the backends and JavaScript say where memory does not suffice; 'Aborted()' is tfjs' wasm module. */
const OUT_OF_MEMORY =
  /out of memory|\boom\b|ran out of|cannot enlarge memory|aborted\(|memory access out of bounds|allocation failed|failed to allocate|could not allocate|invalid (typed )?array( buffer)? length|must be at most .* bytes/i;

/**
 * The error of a training step; one that tells of too little memory says what to try instead.
 *
 * @param microBatchSize Samples of each micro-batch.
 * @param microBatches Micro-batches of each step.
 */
export function explainOutOfMemory(
  error: unknown,
  microBatchSize: number,
  microBatches: number,
): Error {
  const {message} = error as Error;
  if (!OUT_OF_MEMORY.test(message) || microBatchSize === 0) {
    return error as Error;
  }
  const smaller = largestDivisorBelow(microBatchSize);
  const advice =
    smaller == null
      ? 'a micro-batch is one sample already: try shorter sequences or a smaller model'
      : `try a micro-batch of ${smaller}, ${(microBatches * microBatchSize) / smaller} of them a step, ` +
        'which gives the same updates';
  return new Error(
    `out of memory with a micro-batch of ${microBatchSize}: ${advice} (${message})`,
    {cause: error},
  );
}

/** So that the samples of a step stay as many; at most half of what was too much. */
function largestDivisorBelow(size: number): number | undefined {
  for (let divisor = Math.floor(size / 2); divisor >= 1; divisor--) {
    if (size % divisor === 0) {
      return divisor;
    }
  }
  return undefined;
}
