import type {PointsProgram, Program} from './program';
import type {Texture} from './textures';

// The GLSL around what a program does: what it reads, what it writes, and where it is.

/** One triangle around the whole viewport. */
export const FULL_SCREEN = `#version 300 es
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}`;

/** One texel a point. */
export const POINT = `#version 300 es
precision highp float;
flat in float value;
out vec4 texel;
void main() { texel = vec4(value, 0.0, 0.0, 0.0); }`;

const HEADER = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;`;

export function fragmentSource(
  program: Program,
  read: Record<string, Texture>,
  out: Texture,
): string {
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
    : out.rowsPerLine > 0
      ? `
      // The division is exact for what a line holds.
      int rowInLine = int(gl_FragCoord.x / float(out_columnTexels));
      int rowTexel = int(gl_FragCoord.y) * ${out.rowsPerLine} + rowInLine;
      int columnTexel = int(gl_FragCoord.x) - rowInLine * out_columnTexels;`
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

export function vertexSource(program: PointsProgram, read: Record<string, Texture>): string {
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

export const SIZES = ['size', 'batch', 'rows', 'columns', 'rowTexels', 'columnTexels'] as const;

function sizes(name: string, {layout}: Texture): string {
  const names = layout === 'flat' ? (['size'] as const) : SIZES;
  return names.map((size) => `uniform int ${name}_${size};`).join('\n');
}

/** Whether the two coordinates of a texel are those of a row and a column, or an index. */
function isDirect({layout, height, rowsPerLine}: Texture): boolean {
  return layout === 'flat' ? height === 1 : rowsPerLine === 1;
}

/** Where the texel of an index lies; a division is slow on every GPU. */
function positionOf(name: string, {width}: Texture): string {
  return isPowerOfTwo(width)
    ? `ivec2(index & (${name}_width - 1), index >> ${Math.log2(width)})`
    : `ivec2(index % ${name}_width, index / ${name}_width)`;
}

function isPowerOfTwo(size: number): boolean {
  return (size & (size - 1)) === 0;
}

/** The functions that read the inputs. */
function accessors(read: Record<string, Texture>): string[] {
  return Object.entries(read).map(([name, texture]) => {
    const declared = `
      uniform sampler2D ${name}_texture;
      uniform int ${name}_width;
      ${sizes(name, texture)}`;
    if (texture.layout === 'flat') {
      return `${declared}
      uniform int ${name}_offset;
      float ${name}(int index) {
        index += ${name}_offset;
        return texelFetch(${name}_texture, ${isDirect(texture) ? 'ivec2(index, 0)' : positionOf(name, texture)}, 0).r;
      }
      int ${name}Int(int index) {
        return int(${name}(index));
      }`;
    }
    // Of the two ways to read a texel, sampling its centre is the faster one wherever there is a cache for
    // it, in SwiftShader by half. tfjs' textures have no filter.
    return `${declared}
      uniform vec2 ${name}_texel;
      uniform float ${name}_step;
      uniform float ${name}_linesPerRow;
      ${reading(name, texture)}
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

/** The functions that say where the texels of a packed input lie, and read them. */
function reading(name: string, texture: Texture): string {
  if (texture.rowsPerLine === 0) {
    return `
      float ${name}_column(int columnTexel) {
        return float(columnTexel);
      }
      vec2 ${name}_line(float row) {
        return vec2(0.0, row);
      }
      vec2 ${name}_place(float column, vec2 line) {
        return vec2(column, line.y);
      }
      vec4 ${name}(int rowTexel, int columnTexel) {
        int index = rowTexel * ${name}_columnTexels + columnTexel;
        return texture(${name}_texture, (vec2(${positionOf(name, texture)}) + 0.5) * ${name}_texel);
      }
      vec4 ${name}_sample(vec2 place) {
        return ${name}(int(place.y), int(place.x));
      }`;
  }
  const places =
    texture.rowsPerLine === 1
      ? `
      float ${name}_column(int columnTexel) {
        return (float(columnTexel) + 0.5) * ${name}_texel.x;
      }
      vec2 ${name}_line(float row) {
        return vec2(0.0, row * ${name}_texel.y);
      }
      vec2 ${name}_place(float column, vec2 line) {
        return vec2(column, line.y);
      }`
      : `
      float ${name}_column(int columnTexel) {
        return (float(columnTexel) + 0.5) * ${name}_texel.x - 0.5 * ${name}_linesPerRow;
      }
      vec2 ${name}_line(float row) {
        float line = row * ${name}_linesPerRow;
        float whole = floor(line);
        return vec2(line - whole, (whole + 0.5) * ${name}_texel.y);
      }
      vec2 ${name}_place(float column, vec2 line) {
        return vec2(column + line.x, line.y);
      }`;
  return `${places}
      vec4 ${name}_sample(vec2 place) {
        return texture(${name}_texture, place);
      }
      vec4 ${name}(int rowTexel, int columnTexel) {
        return ${name}_sample(
            ${name}_place(${name}_column(columnTexel), ${name}_line(float(rowTexel) + 0.5)));
      }`;
}
