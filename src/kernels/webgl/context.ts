import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {env} from '@tensorflow/tfjs-core';
import {assert} from '../../asserts';
import type {CompiledProgram} from './compile';

/** What is kept for one WebGL context: compiled programs, and what every run of one needs. */
export class Context {
  /** Without attributes: vertices are told apart by their number. */
  readonly vertexArray: WebGLVertexArrayObject;
  /** Read in the place of a tensor without elements, which has no texture. */
  readonly emptyTexture: WebGLTexture;
  private readonly programs = new Map<string, CompiledProgram>();
  /** By the number of textures that are written at once. */
  private readonly framebuffers = new Map<number, WebGLFramebuffer>();

  constructor(readonly gl: WebGL2RenderingContext) {
    this.vertexArray = gl.createVertexArray();
    this.emptyTexture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.emptyTexture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, 1, 1);
    gl.bindTexture(gl.TEXTURE_2D, null);
  }

  /** The program of this source, compiled at its first use. */
  program(source: string, compile: () => CompiledProgram): CompiledProgram {
    let compiled = this.programs.get(source);
    if (compiled == null) {
      compiled = compile();
      this.programs.set(source, compiled);
    }
    return compiled;
  }

  /** Has the next run write these textures, all of one size. */
  drawTo(textures: readonly WebGLTexture[], width: number, height: number) {
    const {gl} = this;
    let framebuffer = this.framebuffers.get(textures.length);
    const isNew = framebuffer == null;
    framebuffer ??= gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    textures.forEach((texture, i) =>
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, gl.TEXTURE_2D, texture, 0),
    );
    if (isNew) {
      this.framebuffers.set(textures.length, framebuffer);
      gl.drawBuffers(textures.map((_, i) => gl.COLOR_ATTACHMENT0 + i));
    }
    gl.viewport(0, 0, width, height);
    gl.scissor(0, 0, width, height);
  }
}

const contexts = new WeakMap<WebGL2RenderingContext, Context>();

/**
 * What is kept for a backend's context.
 *
 * @throws If the context is lost, or cannot hold what the kernels need: WebGL2, and float32 textures that
 *     can be rendered to.
 */
export function contextOf(backend: MathBackendWebGL, kernelName: string): Context {
  const gl = backend.gpgpu.gl as unknown as WebGL2RenderingContext;
  assertAlive(kernelName, gl);
  let context = contexts.get(gl);
  if (context == null) {
    assertCapable(kernelName);
    context = new Context(gl);
    contexts.set(gl, context);
  }
  return context;
}

/** @throws If the context is lost: whatever ran on it would silently compute nothing. */
export function assertAlive(kernelName: string, gl: Pick<WebGLRenderingContext, 'isContextLost'>) {
  assert(
    !gl.isContextLost(),
    () =>
      `${kernelName}: the WebGL context is lost; set the backend up again and go on from the last ` +
      'checkpoint',
  );
}

/** @throws If the device cannot hold what the kernels need. */
export function assertCapable(kernelName: string) {
  const version = env().getNumber('WEBGL_VERSION');
  assert(
    version === 2,
    () => `${kernelName}: there must be WebGL2, got ${version === 1 ? 'WebGL1' : 'no WebGL'}`,
  );
  assert(
    env().getBool('WEBGL_RENDER_FLOAT32_ENABLED'),
    () =>
      `${kernelName}: the device must render to float32 textures, got half floats only, in which no ` +
      'index above 2048 is exact',
  );
}

/** Every texture has one size limit on both sides. */
export function maxTextureSize(): number {
  return env().getNumber('WEBGL_MAX_TEXTURE_SIZE');
}
