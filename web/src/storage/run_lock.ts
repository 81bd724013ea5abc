/** A page that is being left lets go in this time. */
const PATIENCE_MILLISECONDS = 3000;

/**
 * Trains or deletes a run while no other tab does.
 *
 * @throws If another tab does, and whatever `act` throws.
 */
export async function withRunLock<T>(runId: string, act: () => Promise<T>): Promise<T> {
  // Pages without HTTPS have no locks.
  if (navigator.locks == null) {
    return act();
  }
  const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  try {
    return await navigator.locks.request(`tfjs-megablocks/${runId}`, {signal}, act);
  } catch (error) {
    throw error === signal.reason ? new Error('Another tab trains this run.') : error;
  }
}
