import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {compile, type CompiledProgram} from './compile';
import {contextOf} from './context';
import type {Layout} from './layout';
import {fragmentSource, FULL_SCREEN, POINT, SIZES, vertexSource} from './program_glsl';
import {relayout} from './relayout';
import {assertCountable, isLaidOut, makeOutput, type Texture, textureOf} from './textures';

// How every kernel here runs: GLSL ES 3.00 that is compiled once a context, whatever the shapes, and
// writes one or more textures of tfjs' backend. tfjs' `runWebGLProgram` knows one output, and compiles a
// program for every shape.

/**
 * One program: what it reads, what it writes, and how.
 *
 * A flat input x is read as `x(index)`, or `xInt(index)`; it has `x_size` elements. A packed one is read
 * two by two elements at once, `x(rowTexel, columnTexel)`, one row of these, `xRow(row, columnTexel)`, one
 * element, `xValue(row, column)`, or any two by two elements, `xQuad(row, column)`. It is as high as its
 * matrices are on top of each other, each `x_rowTexels` texels: `x_rows` and `x_columns` are the size of
 * one, `x_columnTexels` its width. A loop that goes along it has less to compute where it reads
 * `x_sample(place)`, with the place of a texel, `x_place(x_column(columnTexel), x_line(row))`, where the rows
 * are at 0.5, 1.5, ...; the next one in its row is `x_step` further in x.
 */
export interface Program {
  /** The kernel's name, for messages and profiles. */
  name: string;
  /** What is read, by name. */
  inputs: Record<string, Layout>;
  /** How the outputs lie. */
  layout: Layout;
  /** What is written, by name: one element (`float`) a run of `main`, or where packed four (`vec4`). */
  outputs: readonly string[];
  uniforms?: Record<string, 'int' | 'float'>;
  /** Functions. */
  declarations?: string;
  /**
   * The body of the function that sets the outputs. It sees which: `index`, or where packed `rowTexel` and
   * `columnTexel`, and `out_rows` and the like of the outputs. Elements beyond the edge of a matrix become
   * zero by themselves.
   */
  main: string;
}

/** One run of a program. */
export interface Run {
  inputs: Record<string, TensorInfo>;
  /** Of every output. */
  shape: number[];
  /** Of every output; default float32. */
  dtype?: 'float32' | 'int32';
  uniforms?: Record<string, number>;
}

/** Runs a program. @returns Its outputs, in their order. */
export function runWithOutputs(
  backend: MathBackendWebGL,
  program: Program,
  {inputs, shape, dtype = 'float32', uniforms = {}}: Run,
): TensorInfo[] {
  const {name, layout} = program;
  const context = contextOf(backend, name);
  return withTextures(backend, program, inputs, (read) => {
    const outputs = program.outputs.map(() => makeOutput(backend, name, {shape, dtype, layout}));
    if (util.sizeFromShape(shape) === 0) {
      return outputs;
    }
    const written = outputs.map((output) => textureOf(backend, name, output, layout));
    const [out] = written;
    const source = fragmentSource(program, read, out);
    const {gl} = context;
    const compiled = context.program(source, () => compile(gl, name, FULL_SCREEN, source));
    timed(backend, name, () => {
      context.drawTo(
        written.map(({texture}) => texture),
        out.width,
        out.height,
      );
      bind(gl, compiled, {...read, out}, program.uniforms, uniforms);
      gl.bindVertexArray(context.vertexArray);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    });
    return outputs;
  });
}

/** A program of one output: runs it. */
export function runProgram(backend: MathBackendWebGL, program: Program, run: Run): TensorInfo {
  return runWithOutputs(backend, program, run)[0];
}

/** A program that says where each of its values goes; the vertices of points are what WebGL moves. */
export interface PointsProgram extends Pick<Program, 'name' | 'uniforms' | 'declarations'> {
  inputs: Record<string, Layout>;
  /** The body of the function that sets `target`, an index, below zero for none, from `index`. */
  main: string;
}

/**
 * The inverse of an index: for every `index` below `count`, the element at its target becomes `index`. No
 * two may have one target.
 *
 * @returns [size], int32, with -1 where nothing goes.
 */
export function invertIndex(
  backend: MathBackendWebGL,
  program: PointsProgram,
  {
    inputs,
    count,
    size,
    uniforms = {},
  }: {
    inputs: Record<string, TensorInfo>;
    count: number;
    size: number;
    uniforms?: Record<string, number>;
  },
): TensorInfo {
  const {name} = program;
  const context = contextOf(backend, name);
  return withTextures(backend, program, inputs, (read) => {
    assertCountable(name, Math.max(count, size));
    const output = makeOutput(backend, name, {shape: [size], dtype: 'int32', layout: 'flat'});
    if (size === 0) {
      return output;
    }
    const out = textureOf(backend, name, output, 'flat');
    const source = vertexSource(program, read);
    const {gl} = context;
    const compiled = context.program(source, () => compile(gl, name, source, POINT));
    timed(backend, name, () => {
      context.drawTo([out.texture], out.width, out.height);
      gl.clearBufferfv(gl.COLOR, 0, [-1, 0, 0, 0]);
      bind(gl, compiled, {...read, out}, program.uniforms, uniforms);
      gl.bindVertexArray(context.vertexArray);
      gl.drawArrays(gl.POINTS, 0, count);
    });
    return output;
  });
}

/** Hands `f` the textures of the inputs, laid out as the program reads them. */
function withTextures<T>(
  backend: MathBackendWebGL,
  {name, inputs: layouts}: Pick<Program, 'name' | 'inputs'>,
  inputs: Record<string, TensorInfo>,
  f: (textures: Record<string, Texture>) => T,
): T {
  const converted: TensorInfo[] = [];
  const textures = Object.entries(layouts).map(([input, layout]) => {
    let tensor = inputs[input];
    if (!isLaidOut(backend, tensor, layout)) {
      tensor = relayout(backend, tensor, layout);
      converted.push(tensor);
    }
    return [input, textureOf(backend, name, tensor, layout)];
  });
  const result = f(Object.fromEntries(textures) as Record<string, Texture>);
  converted.forEach((tensor) => backend.disposeIntermediateTensorInfo(tensor));
  return result;
}

function bind(
  gl: WebGL2RenderingContext,
  {program, location}: CompiledProgram,
  textures: Record<string, Texture>,
  types: Program['uniforms'] = {},
  uniforms: Record<string, number>,
) {
  gl.useProgram(program);
  let unit = 0;
  for (const [name, texture] of Object.entries(textures)) {
    const sampler = location(`${name}_texture`);
    if (sampler != null) {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_2D, texture.texture);
      gl.uniform1i(sampler, unit++);
    }
    for (const size of [...SIZES, 'width', 'height', 'offset'] as const) {
      gl.uniform1i(location(`${name}_${size}`), texture[size]);
    }
    const texel = [1 / texture.width, 1 / texture.height];
    gl.uniform2fv(location(`${name}_texel`), texel);
    gl.uniform1f(location(`${name}_step`), texture.rowsPerLine === 0 ? 1 : texel[0]);
    gl.uniform1f(location(`${name}_linesPerRow`), 1 / texture.rowsPerLine);
  }
  for (const [name, type] of Object.entries(types)) {
    gl[type === 'int' ? 'uniform1i' : 'uniform1f'](location(name), uniforms[name]);
  }
}

/** The members of the backend that it does not declare as public. tfjs 4.22 is the last of its line. */
interface BackendInternals {
  activeTimers: {name: string; query: Promise<number>}[] | null;
  startTimer(): unknown;
  endTimer(query: unknown): unknown;
  getQueryTime(query: unknown): Promise<number>;
}

/** Has `tf.time` and `tf.profile` see a run. */
function timed(backend: MathBackendWebGL, name: string, run: () => void) {
  const internals = backend as unknown as BackendInternals;
  if (internals.activeTimers == null) {
    run();
    return;
  }
  const query = internals.startTimer();
  run();
  const ended = internals.endTimer(query);
  internals.activeTimers.push({name, query: internals.getQueryTime(ended)});
}
