import {
  engine,
  getGradient,
  getKernel,
  type GradConfig,
  type KernelBackend,
  type KernelConfig,
  type NamedAttrMap,
  type NamedTensorMap,
  registerGradient,
  registerKernel,
  type Tensor,
  type TensorInfo,
  unregisterKernel,
} from '@tensorflow/tfjs-core';
import {assert, assertKernelExists} from './asserts';

// tfjs' registry is untyped. These functions are the only place where types are cast.

/**
 * Runs a kernel through the tape, on the backend in use.
 *
 * @throws If the backend has no such kernel; the message names those that have it.
 */
export function runKernel<Inputs extends object, Attrs extends object, Out = Tensor>(
  kernelName: string,
  inputs: Inputs,
  attrs = {} as Attrs,
): Out {
  assertKernelExists(kernelName);
  return engine().runKernel(
    kernelName,
    inputs as unknown as NamedTensorMap,
    attrs as unknown as NamedAttrMap,
  ) as Out;
}

/** What a kernel needs of its backend, where not every device can run it. */
const requirements = new Map<string, (backend: KernelBackend) => boolean>();

/** Says which backends of a name can run a kernel, for `hasKernels`. */
export function requireOfBackend<Backend extends KernelBackend>(
  {kernelName, backendName}: KernelConfig,
  isMet: (backend: Backend) => boolean,
) {
  requirements.set(`${backendName}/${kernelName}`, isMet as (backend: KernelBackend) => boolean);
}

/** Whether the backend in use can run all of these kernels. */
export function hasKernels(...kernelNames: string[]): boolean {
  // Reading the backend initialises it where nothing has run yet, as tfjs' own ops do.
  const {backend, backendName} = engine();
  return kernelNames.every(
    (name) =>
      getKernel(name, backendName) != null &&
      (requirements.get(`${backendName}/${name}`)?.(backend) ?? true),
  );
}

/** What a backend registers for a kernel. */
export function kernelConfig<Inputs, Attrs, Backend>(
  kernelName: string,
  backendName: string,
  kernelFunc: (args: {inputs: Inputs; attrs: Attrs; backend: Backend}) => TensorInfo | TensorInfo[],
): KernelConfig {
  return {
    kernelName,
    backendName,
    kernelFunc: kernelFunc as unknown as KernelConfig['kernelFunc'],
  };
}

/**
 * Registers kernels that are not registered yet. All copies of this package in a process, such as its
 * ESM and its CommonJS build, share tfjs' one registry: the first copy registers for all.
 */
export function registerKernels(configs: readonly KernelConfig[]) {
  for (const config of configs) {
    if (getKernel(config.kernelName, config.backendName) == null) {
      registerKernel(config);
    }
  }
}

/** By backend and name, what stood in the place of a kernel. */
const replaced = new Map<string, KernelConfig>();

/**
 * What a kernel took the place of, to do what that kernel leaves to it.
 *
 * @throws If the kernel took no other's place.
 */
export function replacedKernel<Inputs, Attrs, Backend>(
  kernelName: string,
  backendName: string,
): (args: {inputs: Inputs; attrs: Attrs; backend: Backend}) => TensorInfo | TensorInfo[] {
  const config = replaced.get(`${backendName}/${kernelName}`);
  assert(
    config != null,
    () =>
      `${kernelName}: it must have taken the place of another kernel of ${backendName}, got none`,
  );
  return config.kernelFunc as never;
}

/** A kernel that takes the place of another one for some inputs; of all others that one computes. */
export function replacementConfig<Inputs, Attrs, Backend>(
  kernelName: string,
  backendName: string,
  takes: (inputs: Inputs) => boolean,
  kernelFunc: (args: {inputs: Inputs; attrs: Attrs; backend: Backend}) => TensorInfo | TensorInfo[],
): KernelConfig {
  return kernelConfig<Inputs, Attrs, Backend>(kernelName, backendName, (args) =>
    takes(args.inputs)
      ? kernelFunc(args)
      : replacedKernel<Inputs, Attrs, Backend>(kernelName, backendName)(args),
  );
}

/** Registers kernels in the place of those that are registered. */
export function replaceKernels(configs: readonly KernelConfig[]) {
  for (const config of configs) {
    const {kernelName, backendName} = config;
    const registered = getKernel(kernelName, backendName);
    if (registered === config) {
      continue;
    }
    if (registered != null) {
      replaced.set(`${backendName}/${kernelName}`, registered);
      // Registering over an existing kernel would warn.
      unregisterKernel(kernelName, backendName);
    }
    registerKernel(config);
  }
}

/** Registers gradients that are not registered yet; see `registerKernels`. */
export function registerGradients(configs: readonly GradConfig[]) {
  for (const config of configs) {
    if (getGradient(config.kernelName) == null) {
      registerGradient(config);
    }
  }
}
