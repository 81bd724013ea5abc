// What `tfjs-megablocks/webgl` does: it registers the kernels of this backend, and sets it up.
import './kernels/webgl/register_all_kernels';
import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {engine, env, setBackend} from '@tensorflow/tfjs-core';
import {assert} from './asserts';
import {assertCapable} from './kernels/webgl/context';
import {guardBackend} from './kernels/webgl/guard_backend';
import {removeBackend} from './remove_backend';

/** What was set up. */
export interface WebGLSetup {
  /** What the GPU calls itself, as far as the browser tells. */
  renderer: string;
  /** Texels along a side of the largest texture. */
  maxTextureSize: number;
  /** Frees the context and everything on it. */
  dispose: () => void;
}

const BACKEND = 'webgl';
const OP = 'setupWebGL';
/** Among the backends, as tfjs has it. */
const PRIORITY = 2;

/**
 * Sets TensorFlow.js' WebGL backend up, in a page or in a worker, and makes it the current one. A context
 * that was lost, as the driver of a GPU may do at any time, is replaced by a new one; what was on it is gone.
 * From then on every kernel throws where its context is lost, those of TensorFlow.js too.
 *
 * ```js
 * import {setupWebGL} from 'tfjs-megablocks/webgl';
 *
 * const {renderer} = await setupWebGL();
 * ```
 *
 * Needs `@tensorflow/tfjs-backend-webgl`, which `@tensorflow/tfjs` has. A WebGL backend that was set up some
 * other way works too, but when its context is lost only the kernels of this library say so.
 *
 * @throws If the backend is not loaded, there is no WebGL2, or the device renders to half floats only.
 */
export async function setupWebGL(): Promise<WebGLSetup> {
  const factory = engine().findBackendFactory(BACKEND);
  assert(
    factory != null,
    () =>
      `${OP}: @tensorflow/tfjs-backend-webgl must be loaded, in a browser, got no backend called webgl`,
  );
  assertCapable(OP);
  engine().removeBackend(BACKEND);
  engine().registerBackend(BACKEND, guarded(factory), PRIORITY);
  assert(await setBackend(BACKEND), () => `${OP}: the backend must start, got a failure`);
  const backend = engine().backend as MathBackendWebGL;
  const {gl} = backend.gpgpu;
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return {
    renderer: gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER) as string,
    maxTextureSize: env().getNumber('WEBGL_MAX_TEXTURE_SIZE'),
    dispose: () => removeBackend(BACKEND, backend),
  };
}

type Factory = NonNullable<ReturnType<ReturnType<typeof engine>['findBackendFactory']>>;

/** Those that guard what they make. */
const guardedFactories = new WeakSet<Factory>();

/** The same factory, with what it makes guarded; tfjs' own makes its backend at once. */
function guarded(factory: Factory): Factory {
  if (guardedFactories.has(factory)) {
    return factory;
  }
  const guardedFactory = () => {
    const backend = factory() as MathBackendWebGL;
    guardBackend(backend);
    return backend;
  };
  guardedFactories.add(guardedFactory);
  return guardedFactory;
}
