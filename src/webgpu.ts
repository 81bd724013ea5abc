import type {WebGPUBackend} from '@tensorflow/tfjs-backend-webgpu';
import {engine, env, setBackend} from '@tensorflow/tfjs-core';
import {assert, assertBoolean, assertOneOf} from './asserts';
import {replaceKernels} from './kernel';
import type {Precision} from './kernel_names';
import {deviceState, isSoftware} from './kernels/webgpu/device_state';
import {fastMatMulConfigs} from './kernels/webgpu/fast_mat_mul';
import {guardBackend} from './kernels/webgpu/guard_backend';
import './kernels/webgpu/register_all_kernels';
import {removeBackend} from './remove_backend';

// `tfjs-megablocks/webgpu`: registers the kernels of this backend, and sets it up with all that the
// adapter has.

export type {Precision};

/** How to set WebGPU up. */
export interface WebGPUOptions {
  /** Which adapter to ask for where there are several. Default 'high-performance'. */
  powerPreference?: (typeof POWER_PREFERENCES)[number];
  /**
   * How products multiply that do not say: 'float32', the default, or 'float16', on matrix units with
   * float32 sums.
   */
  precision?: Precision;
  /**
   * Whether the GPU checks the bounds of every access once more. Default true. The kernels here check
   * what they access themselves, and products in half precision are up to 2.7 times as fast without
   * (H100, 8192 x 8192 x 4096: 271 instead of 99 TFLOP/s). But tfjs' own products read beyond their
   * operands: with false this library's take their place (see `useFastMatMul`), and tfjs' convolutions
   * must not be used. Only Node.js can leave the checks out, and only before anything uses WebGPU.
   */
  boundsChecks?: boolean;
  /** Accept an adapter that is software, such as SwiftShader. Default false. */
  allowSoftware?: boolean;
  /** Features that the adapter must have, by their WebGPU names. Default none: what it has is used. */
  requiredFeatures?: readonly string[];
}

/** What was set up. */
export interface WebGPUSetup {
  /** What the adapter calls itself. */
  adapter: string;
  vendor: string;
  /** Whether the adapter is software. */
  software: boolean;
  /** What the device can do, by the WebGPU names. */
  features: string[];
  /** How products multiply; 'float32' where 'float16' was asked for and the device has no matrix units. */
  precision: Precision;
  /** Frees the device and everything on it; in Node.js the process can then end. */
  dispose: () => void;
}

const BACKEND = 'webgpu';

/** What `powerPreference` can be. */
const POWER_PREFERENCES = ['high-performance', 'low-power'] as const;

/** What `precision` can be; the first is the default. */
export const PRECISIONS = ['float32', 'float16'] as const;

/** What the kernels use where there is it. */
const WANTED_FEATURES = [
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
  'timestamp-query',
];

/** In units that a tensor or a workgroup can outgrow; the defaults of WebGPU are small. */
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Switches of Dawn without which Node.js would not see matrix units and halves. */
const DAWN_FEATURES = ['allow_unsafe_apis', 'vulkan_enable_f16_on_nvidia'];
/** Coarse timestamps, which browsers want and measurements do not. */
const UNWANTED_DAWN_FEATURES = ['timestamp_quantization'];
/** The switch that leaves out the bounds checks. */
const NO_BOUNDS_CHECKS = 'disable_robustness';

/**
 * Sets TensorFlow.js' WebGPU backend up, in a browser or in Node.js, and makes it the current one. The
 * device gets everything that its adapter offers and the kernels can use: half precision, subgroups,
 * matrix units, timestamps, and the adapter's own limits.
 *
 * ```js
 * import {setupWebGPU} from 'tfjs-megablocks/webgpu';
 *
 * const {adapter, dispose} = await setupWebGPU({precision: 'float16'});
 * ```
 *
 * Needs `@tensorflow/tfjs-backend-webgpu`, and in Node.js the package `webgpu`. A WebGPU backend that
 * was set up some other way works too, without what its device was not asked for.
 *
 * @returns What was found. In Node.js call `dispose` at the end, or the process goes on.
 * @throws If there is no WebGPU or no adapter, if the only adapter is software and that is not allowed,
 *     or if the adapter lacks a required feature.
 */
export async function setupWebGPU(options: WebGPUOptions = {}): Promise<WebGPUSetup> {
  const {
    powerPreference = 'high-performance',
    precision = 'float32',
    boundsChecks = true,
    allowSoftware = false,
    requiredFeatures = [],
  } = options;
  assertOneOf('setupWebGPU', 'powerPreference', powerPreference, POWER_PREFERENCES);
  assertOneOf('setupWebGPU', 'precision', precision, PRECISIONS);
  assertBoolean('setupWebGPU', 'boundsChecks', boundsChecks);
  assertBoolean('setupWebGPU', 'allowSoftware', allowSoftware);
  const releaseGpu = await provideGpu(boundsChecks);
  try {
    const adapter = await requestAdapter(powerPreference, allowSoftware);
    const missing = requiredFeatures.filter((name) => !adapter.features.has(name));
    assert(
      missing.length === 0,
      () =>
        `setupWebGPU: requiredFeatures must be ones of the adapter ${describeAdapter(adapter)}, ` +
        `which lacks ${missing.join(', ')}; it has ${[...adapter.features].join(', ')}`,
    );
    const device = await requestDevice(adapter, requiredFeatures);
    // Before anything asks for it by the device alone: not every device knows its adapter.
    const state = deviceState(device, adapter.info);
    const backend = await useDevice(device, adapter);
    if (!boundsChecks) {
      replaceKernels(fastMatMulConfigs);
    }
    state.precision = precision === 'float16' && state.matrixUnit != null ? 'float16' : 'float32';
    return {
      adapter: describeAdapter(adapter),
      vendor: adapter.info.vendor,
      software: isSoftware(adapter.info),
      features: [...device.features].sort(),
      precision: state.precision,
      dispose: () => {
        removeBackend(BACKEND, backend);
        device.destroy();
        releaseGpu();
      },
    };
  } catch (error) {
    releaseGpu();
    throw error;
  }
}

/** By their switches, and for good: Dawn crashes when one is collected before what it has made. */
const gpus = new Map<string, GPU>();

/**
 * Puts `navigator.gpu` where it is missing, as in Node.js.
 *
 * @returns What removes it again.
 */
async function provideGpu(boundsChecks: boolean): Promise<() => void> {
  if (globalThis.navigator?.gpu != null) {
    return () => undefined;
  }
  // Not a literal, since bundlers for browsers would look for the package.
  const packageName = 'webgpu';
  const {create, globals} = await importOrThrow<{
    create: (options: string[]) => GPU;
    globals: Record<string, unknown>;
  }>(packageName, () => import(/* @vite-ignore */ /* webpackIgnore: true */ packageName));
  Object.assign(globalThis, globals);
  if (globalThis.navigator == null) {
    Object.defineProperty(globalThis, 'navigator', {value: {}, configurable: true});
  }
  const features = [...DAWN_FEATURES, ...(boundsChecks ? [] : [NO_BOUNDS_CHECKS])];
  const key = features.join(',');
  const unwanted = UNWANTED_DAWN_FEATURES.join(',');
  const gpu =
    gpus.get(key) ?? create([`enable-dawn-features=${key}`, `disable-dawn-features=${unwanted}`]);
  gpus.set(key, gpu);
  Object.defineProperty(globalThis.navigator, 'gpu', {value: gpu, configurable: true});
  return () => {
    delete (globalThis.navigator as {gpu?: GPU}).gpu;
  };
}

async function importOrThrow<T>(name: string, load: () => Promise<unknown>): Promise<T> {
  try {
    const module = (await load()) as {default?: object};
    // A CommonJS module may come with its exports under `default` alone.
    return {...module.default, ...module} as T;
  } catch (error) {
    throw new Error(
      `setupWebGPU: the package ${name} must be installed and load, got: ${(error as Error).message}`,
      {cause: error},
    );
  }
}

async function requestAdapter(
  powerPreference: GPUPowerPreference,
  allowSoftware: boolean,
): Promise<GPUAdapter> {
  const adapter = await navigator.gpu.requestAdapter({powerPreference});
  assert(
    adapter != null,
    () => 'setupWebGPU: there must be a WebGPU adapter, got none; is there a GPU with its driver?',
  );
  assert(
    allowSoftware || !isSoftware(adapter.info),
    () =>
      `setupWebGPU: the adapter must be a GPU, got software, ${describeAdapter(adapter)}; ` +
      'allowSoftware accepts it',
  );
  return adapter;
}

function describeAdapter({info}: GPUAdapter): string {
  return info.description || info.device || [info.vendor, info.architecture].join(' ');
}

async function requestDevice(
  adapter: GPUAdapter,
  requiredFeatures: readonly string[],
): Promise<GPUDevice> {
  const wanted = [...new Set([...requiredFeatures, ...WANTED_FEATURES])];
  return adapter.requestDevice({
    requiredFeatures: wanted.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]])),
  });
}

/** Registers tfjs' backend on the device, in the place of the one it would make by itself. */
async function useDevice(device: GPUDevice, adapter: GPUAdapter): Promise<WebGPUBackend> {
  const {WebGPUBackend} = await importOrThrow<typeof import('@tensorflow/tfjs-backend-webgpu')>(
    '@tensorflow/tfjs-backend-webgpu',
    () => import('@tensorflow/tfjs-backend-webgpu'),
  );
  if (engine().findBackendFactory(BACKEND) != null) {
    engine().removeBackend(BACKEND);
  }
  const backend = new WebGPUBackend(device, adapter.info);
  guardBackend(backend);
  engine().registerBackend(BACKEND, () => backend, 10);
  // Small tensors stay on the GPU: a result on the CPU would be waited for.
  env().set('WEBGPU_CPU_FORWARD', false);
  assert(await setBackend(BACKEND), () => 'setupWebGPU: the backend must start, got a failure');
  return backend;
}
