import {ready, setBackend} from '@tensorflow/tfjs-core';
import {useFastMatMul} from '../src/fast_mat_mul';

/** How each backend is loaded: only when it is asked for. Faster ones come first. */
const LOADERS = {
  wasm: () => import('@tensorflow/tfjs-backend-wasm'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
} satisfies Record<string, () => Promise<unknown>>;

/** The backends that a run can use. */
export const BACKENDS = Object.keys(LOADERS);

/**
 * Starts a backend, with the faster products where this library has some. Where it does not start, cpu takes its place, and `warn` is told why.
 *
 * @param name One of BACKENDS.
 * @returns The backend in use.
 * @throws If cpu does not start either.
 */
export async function startBackend(
  name: string,
  warn: (message: string) => void = console.warn,
): Promise<string> {
  const problem = await tryBackend(name);
  if (problem == null) {
    return name;
  }
  if (name === 'cpu') {
    throw new Error(`backend: cpu does not start: ${problem}`);
  }
  warn(
    `The ${name} backend does not start (${problem}): cpu takes its place, which is far slower.`,
  );
  return startBackend('cpu', warn);
}

async function tryBackend(name: string): Promise<string | undefined> {
  try {
    await LOADERS[name as keyof typeof LOADERS]();
    if (!(await setBackend(name))) {
      return 'it reports a failure';
    }
    await ready();
    useFastMatMul();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
