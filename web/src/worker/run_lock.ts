/** A page that is being left lets go in this time. */
const PATIENCE_MILLISECONDS = 3000;

/**
 * Computes while no other tab trains the run.
 *
 * @throws If another tab does, and whatever `compute` throws.
 */
export async function withRunLock<T>(runId: string, compute: () => Promise<T>): Promise<T> {
  // Pages without HTTPS have no locks.
  if (navigator.locks == null) {
    return compute();
  }
  let begun = false;
  const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  try {
    return await navigator.locks.request(`tfjs-megablocks/${runId}`, {signal}, () => {
      begun = true;
      return compute();
    });
  } catch (error) {
    throw begun ? error : new Error('Another tab trains this run.', {cause: error});
  }
}
