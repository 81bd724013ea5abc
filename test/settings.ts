import type {Precision} from '../src/kernel_names';

// Which of the tests run and how. `npm test` leaves all of it as it is; the bundle for GPUs (test/gpu)
// sets it before it loads a test.

const {MEGABLOCKS_BACKENDS, MEGABLOCKS_PRECISION, MEGABLOCKS_SOFTWARE} = process.env;

/** Those of Node.js; webgl is in pages alone (test/chromium_test.ts). */
let backends = MEGABLOCKS_BACKENDS?.split(',') ?? ['cpu', 'wasm', 'tensorflow', 'webgpu'];

/** The only backends whose tests are declared. */
export function chosenBackends(): readonly string[] {
  return backends;
}

/** Has the tests of these backends alone declared from now on. */
export function chooseBackends(names: readonly string[]) {
  backends = [...names];
}

/** How products on webgpu multiply. */
export const webgpuPrecision = (MEGABLOCKS_PRECISION ?? 'float32') as Precision;

/** Whether webgpu may be software. */
export const allowSoftware = MEGABLOCKS_SOFTWARE !== 'refused';

/**
 * What no tolerance of `expectClose` is below, but for 0: halves round to 2^-11 of themselves, and the sums
 * of several products follow one another.
 */
export const toleranceFloor = webgpuPrecision === 'float16' ? 3e-3 : 0;

/**
 * The same for what is exponential in sums of this size, as attention is in its scores: their rounding is
 * relative to the sum, and that of the exponential to 1.
 */
export function exponentialTolerance(size: number): number {
  return webgpuPrecision === 'float16' ? size * 2 ** -11 : 0;
}

/** Whether the GPU checks bounds, as it does for users who do not ask otherwise. */
export const boundsChecks = process.env.MEGABLOCKS_BOUNDS_CHECKS !== 'off';
