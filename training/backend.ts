import {ready, setBackend} from '@tensorflow/tfjs-core';
import {existsSync} from 'node:fs';
import {useFastMatMul} from '../src/fast_mat_mul';
import type {Precision} from '../src/kernel_names';
import {setupWebGPU} from '../src/webgpu';

/** How to start a backend. */
export interface BackendOptions {
  /** How products multiply on a GPU; the CPU multiplies in float32. Default 'float32'. */
  precision?: Precision;
  /** Whether webgpu may be software. Default false. */
  allowSoftware?: boolean;
  /** Is told where another backend takes the place of the one that was asked for. */
  warn?: (message: string) => void;
}

/** How products multiply on a backend. */
export type ProductPrecision = Precision | 'bfloat16';

/** A backend in use. */
export interface StartedBackend {
  name: string;
  /** What a GPU calls itself. */
  gpu?: string;
  /** What else is worth knowing of it. */
  details?: string;
  /** How products multiply; 'bfloat16' is the half precision of tensorflow. */
  precision: ProductPrecision;
  /** A line that says what it is, and why not a faster one. */
  description: string;
  /** Frees the device. */
  dispose: () => void;
}

type Started = Pick<StartedBackend, 'gpu' | 'details' | 'precision' | 'dispose'>;
type Starter = (options: BackendOptions) => Promise<Started>;

/** How each backend starts: it is loaded only when it is asked for. Faster ones come first. */
const STARTERS: Record<string, Starter> = {
  webgpu: async ({precision, allowSoftware}) => {
    const {adapter, ...setup} = await setupWebGPU({precision, allowSoftware});
    return {gpu: adapter, precision: setup.precision, dispose: setup.dispose};
  },
  tensorflow: startTensorFlow,
  wasm: () => startTfjs('wasm', () => import('@tensorflow/tfjs-backend-wasm')),
  cpu: () => startTfjs('cpu', () => import('@tensorflow/tfjs-backend-cpu')),
};

/** Any of the backends. */
const AUTO = 'auto';

/** What takes the place of no other backend: it must be asked for. */
const ONLY_BY_NAME = ['tensorflow'];

/** What a run can ask for: 'auto', the fastest that starts but for those, or one of the backends. */
export const BACKENDS = [AUTO, ...Object.keys(STARTERS)];

/** Where Linux shows a GPU: a display driver, NVIDIA's own, and that of Windows below it. */
const GPU_DEVICES = ['/dev/dri', '/dev/nvidiactl', '/dev/nvidia0', '/dev/dxg'];

/**
 * Starts a backend, with the products of this library where it has faster ones. Where the backend does
 * not start, the next slower one takes its place.
 *
 * @param name One of BACKENDS.
 * @throws If cpu does not start either.
 */
export async function startBackend(
  name: string,
  options: BackendOptions = {},
): Promise<StartedBackend> {
  const {precision: wanted = 'float32', warn = console.warn} = options;
  const all = Object.keys(STARTERS).filter((one) => one === name || !ONLY_BY_NAME.includes(one));
  const problems: string[] = [];
  for (const candidate of all.slice(Math.max(0, all.indexOf(name)))) {
    const started = await tryBackend(candidate, name === AUTO, options);
    if (typeof started === 'string') {
      problems.push(`${candidate} does not start: ${started}`);
      continue;
    }
    if (problems.length > 0 && name !== AUTO) {
      warn(`backend: ${problems.join('; ')}. ${candidate} takes its place, which is far slower.`);
    }
    if (wanted === 'float16' && started.precision === 'float32') {
      const what = started.gpu ?? candidate;
      warn(`backend: products are in ${started.precision}, since ${what} has none in ${wanted}.`);
    }
    return {...started, name: candidate, description: describe(candidate, started, problems)};
  }
  throw new Error(`backend: ${problems.join('; ')}`);
}

function describe(name: string, started: Started, problems: string[]): string {
  const {gpu, precision, details} = started;
  const about = [gpu, gpu && `products in ${precision}`, details].filter(Boolean);
  const where = about.length > 0 ? `${name} (${about.join(', ')})` : name;
  return `Computing on ${where}${problems.length > 0 ? `; ${problems.join('; ')}` : ''}.`;
}

/** Starts a backend, or tells why it does not. */
async function tryBackend(
  name: string,
  onlyIfLikely: boolean,
  options: BackendOptions,
): Promise<Started | string> {
  if (name === 'webgpu' && onlyIfLikely && !options.allowSoftware && !mayHaveGpu()) {
    return 'there is no GPU';
  }
  try {
    const started = await STARTERS[name](options);
    useFastMatMul();
    return started;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A look that costs nothing. Without a GPU a driver would be looked for, and not finding it printed. */
function mayHaveGpu(): boolean {
  return process.platform !== 'linux' || GPU_DEVICES.some((path) => existsSync(path));
}

async function startTensorFlow({precision}: BackendOptions): Promise<Started> {
  const {setTensorFlowPrecision, tensorflow} = await import('../src/tensorflow');
  const {version, devices, cuda, instructions, threads} = tensorflow;
  const onGpu = devices.includes('GPU') ? cuda : undefined;
  if (onGpu?.problem != null) {
    throw new Error(onGpu.problem);
  }
  const started = await startTfjs('tensorflow', () => Promise.resolve());
  if (onGpu == null) {
    const details = `TensorFlow ${version}, ops of ${instructions} on ${threads} threads`;
    return {...started, details: cuda?.problem == null ? details : `${details}; ${cuda.problem}`};
  }
  const ofProducts = precision === 'float16' ? 'bfloat16' : 'float32';
  setTensorFlowPrecision(ofProducts);
  const [gpu] = onGpu.gpus;
  return {...started, gpu, details: `TensorFlow ${version}`, precision: ofProducts};
}

async function startTfjs(name: string, load: () => Promise<unknown>): Promise<Started> {
  await load();
  if (!(await setBackend(name))) {
    throw new Error('it reports a failure');
  }
  await ready();
  return {precision: 'float32', dispose: () => undefined};
}
