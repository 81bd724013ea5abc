import type {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl';
import {type TensorInfo, util} from '@tensorflow/tfjs-core';
import {compile, type CompiledProgram} from './compile';
import {contextOf} from './context';
import type {Layout} from './layout';
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
 * `x_sample(column, row)`, from `x_column(columnTexel)` and `x_row(rowTexel)` on, in steps of `x_step`.
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
export function runProgram(
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
export function runProgram1(backend: MathBackendWebGL, program: Program, run: Run): TensorInfo {
  return runProgram(backend, program, run)[0];
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

/** One triangle around the whole viewport. */
const FULL_SCREEN = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

/** One texel a point. */
const POINT = `#version 300 es
precision highp float;
flat in float value;
out vec4 texel;
void main() { texel = vec4(value, 0.0, 0.0, 0.0); }`;

const HEADER = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;`;

function fragmentSource(program: Program, read: Record<string, Texture>, out: Texture): string {
  const type = program.layout === 'packed' ? 'vec4' : 'float';
  const zero = `${type}(0.0)`;
  const {outputs} = program;
  return [
    HEADER,
    ...outputs.map((name, i) => `layout(location = ${i}) out vec4 ${name}_texel;`),
    ...outputs.map((name) => `${type} ${name} = ${zero};`),
    ...accessors(read),
    sizes('out', out),
    'uniform int out_width;',
    declareUniforms(program),
    program.declarations ?? '',
    program.layout === 'packed' ? packedMain(program, out) : flatMain(program),
  ].join('\n');
}

function flatMain({main, outputs}: Program): string {
  return `
    void compute(int index) {
      ${main}
    }
    void main() {
      int index = int(gl_FragCoord.y) * out_width + int(gl_FragCoord.x);
      if (index < out_size) {
        compute(index);
      }
      ${outputs.map((name) => `${name}_texel = vec4(${name}, 0.0, 0.0, 0.0);`).join('\n')}
    }`;
}

function packedMain({main, outputs}: Program, out: Texture): string {
  const where = isDirect(out)
    ? `
      int rowTexel = int(gl_FragCoord.y);
      int columnTexel = int(gl_FragCoord.x);`
    : `
      int texel = int(gl_FragCoord.y) * out_width + int(gl_FragCoord.x);
      int rowTexel = texel / out_columnTexels;
      int columnTexel = texel - rowTexel * out_columnTexels;`;
  const clear = (condition: string, components: string) => `
      if (${condition}) {
        ${outputs.map((name) => `${name}.${components} = vec2(0.0);`).join('\n')}
      }`;
  return `
    void compute(int rowTexel, int columnTexel) {
      ${main}
    }
    void main() {
      ${where}
      if (rowTexel < out_batch * out_rowTexels) {
        compute(rowTexel, columnTexel);
      }
      ${out.columns % 2 === 1 ? clear('columnTexel == out_columnTexels - 1', 'yw') : ''}
      ${out.rows % 2 === 1 ? clear('rowTexel % out_rowTexels == out_rowTexels - 1', 'zw') : ''}
      ${outputs.map((name) => `${name}_texel = ${name};`).join('\n')}
    }`;
}

function vertexSource(program: PointsProgram, read: Record<string, Texture>): string {
  return [
    HEADER,
    'flat out float value;',
    ...accessors(read),
    'uniform int out_size;',
    'uniform int out_width;',
    'uniform int out_height;',
    declareUniforms(program),
    program.declarations ?? '',
    `
    void main() {
      int index = gl_VertexID;
      int target = -1;
      ${program.main}
      value = float(index);
      gl_PointSize = 1.0;
      // A point outside of the viewport is not drawn.
      gl_Position = vec4(2.0, 2.0, 0.0, 1.0);
      if (target >= 0 && target < out_size) {
        vec2 texel = vec2(target % out_width, target / out_width);
        gl_Position.xy = (texel + 0.5) / vec2(out_width, out_height) * 2.0 - 1.0;
      }
    }`,
  ].join('\n');
}

function declareUniforms({uniforms = {}}: Pick<Program, 'uniforms'>): string {
  return Object.entries(uniforms)
    .map(([name, type]) => `uniform ${type} ${name};`)
    .join('\n');
}

const SIZES = ['size', 'batch', 'rows', 'columns', 'rowTexels', 'columnTexels'] as const;

function sizes(name: string, {layout}: Texture): string {
  const names = layout === 'flat' ? (['size'] as const) : SIZES;
  return names.map((size) => `uniform int ${name}_${size};`).join('\n');
}

/** Whether the two coordinates of a texel are those of a row and a column, or an index. */
function isDirect({layout, width, height, columnTexels}: Texture): boolean {
  return layout === 'flat' ? height === 1 : width === columnTexels;
}

/** The functions that read the inputs. */
function accessors(read: Record<string, Texture>): string[] {
  return Object.entries(read).map(([name, texture]) => {
    const sampler = `${name}_texture`;
    const ofIndex = `ivec2(index % ${name}_width, index / ${name}_width)`;
    const declared = `
      uniform sampler2D ${sampler};
      uniform int ${name}_width;
      ${sizes(name, texture)}`;
    if (texture.layout === 'flat') {
      return `${declared}
      uniform int ${name}_offset;
      float ${name}(int index) {
        index += ${name}_offset;
        return texelFetch(${sampler}, ${isDirect(texture) ? 'ivec2(index, 0)' : ofIndex}, 0).r;
      }
      int ${name}Int(int index) {
        return int(${name}(index));
      }`;
    }
    // Of the two ways to read a texel, sampling its centre is the faster one wherever there is a cache for
    // it, in SwiftShader by half. tfjs' textures have no filter.
    const [sample, fetch] = isDirect(texture)
      ? [
          `texture(${sampler}, vec2(column, row))`,
          `${name}_sample(${name}_column(columnTexel), ${name}_row(rowTexel))`,
        ]
      : [
          `${name}_fetch(int(row) * ${name}_columnTexels + int(column))`,
          `${name}_fetch(rowTexel * ${name}_columnTexels + columnTexel)`,
        ];
    return `${declared}
      uniform vec2 ${name}_step;
      float ${name}_row(int rowTexel) {
        return (float(rowTexel) + 0.5) * ${name}_step.y;
      }
      float ${name}_column(int columnTexel) {
        return (float(columnTexel) + 0.5) * ${name}_step.x;
      }
      vec4 ${name}_fetch(int index) {
        return texelFetch(${sampler}, ${ofIndex}, 0);
      }
      vec4 ${name}_sample(float column, float row) {
        return ${sample};
      }
      vec4 ${name}(int rowTexel, int columnTexel) {
        return ${fetch};
      }
      vec2 ${name}Row(int row, int columnTexel) {
        vec4 texel = ${name}(row >> 1, columnTexel);
        return (row & 1) == 0 ? texel.xy : texel.zw;
      }
      float ${name}Value(int row, int column) {
        vec2 pair = ${name}Row(row, column >> 1);
        return (column & 1) == 0 ? pair.x : pair.y;
      }
      vec4 ${name}Quad(int row, int column) {
        return vec4(
            ${name}Value(row, column), ${name}Value(row, column + 1),
            ${name}Value(row + 1, column), ${name}Value(row + 1, column + 1));
      }`;
  });
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
    const step = isDirect(texture) ? [1 / texture.width, 1 / texture.height] : [1, 1];
    gl.uniform2fv(location(`${name}_step`), step);
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
