import {engine, ready, setBackend} from '@tensorflow/tfjs-core';
import {useFastMatMul} from '../../../src/fast_mat_mul';
import type {BackendName, BackendReport} from '../backend_report';

/** What a look at a backend, without starting it, finds. */
type Finding = Pick<BackendReport, 'device' | 'software' | 'missing'>;

interface Backend {
  find: () => Finding | Promise<Finding>;
  /** Loads the backend with this library's kernels for it, and nothing of the others. */
  load: () => Promise<unknown>;
}

/** Fastest first. */
const BACKENDS: Record<BackendName, Backend> = {
  webgpu: {
    find: findWebGPU,
    load: async () => {
      const {setupWebGPU} = await import('../../../src/webgpu');
      // Whether software will do was decided before, by the page or by its user.
      await setupWebGPU({allowSoftware: true});
    },
  },
  webgl: {
    find: findWebGL,
    load: async () => {
      const {setupWebGL} = await import('./webgl_backend');
      await setupWebGL();
    },
  },
  wasm: {
    find: () => (typeof WebAssembly === 'object' ? {} : {missing: 'no WebAssembly'}),
    load: () => import('./wasm_backend'),
  },
  cpu: {
    find: () => ({}),
    load: () => import('./cpu_backend'),
  },
};

/** What each backend is on this machine, fastest first. */
export async function findBackends(): Promise<BackendReport[]> {
  const names = Object.keys(BACKENDS) as BackendName[];
  return Promise.all(
    names.map(async (name) => {
      try {
        return {name, ...(await BACKENDS[name].find())};
      } catch (error) {
        return {name, missing: (error as Error).message};
      }
    }),
  );
}

/**
 * Makes a backend the one in use.
 *
 * @param onLost Hears when its GPU is lost: what waits for it then may wait forever.
 */
export async function startBackend(
  name: BackendName,
  onLost: (message: string) => void,
): Promise<void> {
  if (engine().backendName === name) {
    return;
  }
  await BACKENDS[name].load();
  if (!(await setBackend(name))) {
    throw new Error(`The backend ${name} does not start.`);
  }
  await ready();
  useFastMatMul();
  watch(onLost);
}

async function findWebGPU(): Promise<Finding> {
  const adapter = await navigator.gpu?.requestAdapter({powerPreference: 'high-performance'});
  if (adapter == null) {
    return {missing: navigator.gpu == null ? 'this browser has no WebGPU' : 'no GPU answers'};
  }
  const {vendor, architecture, device, description} = adapter.info;
  const name = description || device || [vendor, architecture].filter(Boolean).join(' ');
  return {device: name, software: isSoftware([name, vendor, architecture].join(' '))};
}

function findWebGL(): Finding {
  if (typeof OffscreenCanvas === 'undefined') {
    return {missing: 'this browser has no WebGL in workers'};
  }
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (gl == null) {
    return {missing: 'this browser has no WebGL2'};
  }
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const renderer = String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  // 'ANGLE (vendor, device (version), driver)', with what is below before the device on Vulkan and Metal.
  const device =
    /^ANGLE \([^,]*, (?:Vulkan [\d.]+ \(|ANGLE Metal Renderer: )?([^,(]+)/
      .exec(renderer)?.[1]
      .trim() ?? renderer;
  const canRender = gl.getExtension('EXT_color_buffer_float') != null;
  // A browser has few contexts to give.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return canRender
    ? {device, software: isSoftware(renderer)}
    : {missing: `${device} does not render float32`};
}

/** What the backends of a GPU have of it. */
interface Gpu {
  gpgpu?: {gl: WebGL2RenderingContext};
  device?: GPUDevice;
}

/** Whether what the backend in use computes is lost, of which reading it says nothing. */
export function isBackendLost(): boolean {
  const {gpgpu} = engine().backend as Gpu;
  return gpgpu?.gl.isContextLost() ?? false;
}

/** Tells when the GPU of the backend in use is lost, unless another backend is in use by then. */
function watch(onLost: (message: string) => void) {
  const {backend} = engine();
  const {gpgpu, device} = backend as Gpu;
  const tell = (loss: string) => {
    if (engine().backend === backend) {
      onLost(`${loss}. A run can go on from its last checkpoint.`);
    }
  };
  gpgpu?.gl.canvas.addEventListener('webglcontextlost', () => tell('The WebGL context is lost'));
  void device?.lost.then(({message}) => tell(`The WebGPU device is lost (${message})`));
}

/** Drivers that compute on the CPU, where wasm is faster. */
function isSoftware(name: string): boolean {
  return /swiftshader|llvmpipe|lavapipe|basic render|software/i.test(name);
}
