// Compiles GLSL, by itself: tfjs' own programs have its shader library in front of them.

export interface CompiledProgram {
  program: WebGLProgram;
  /** Where a uniform lies; null for one that the code does not use. */
  location(name: string): WebGLUniformLocation | null;
}

/** Compiles and links; `kernelName` is for messages. */
export function compile(
  gl: WebGL2RenderingContext,
  kernelName: string,
  vertexSource: string,
  fragmentSource: string,
): CompiledProgram {
  const program = gl.createProgram();
  const shaders = [
    compileShader(gl, gl.VERTEX_SHADER, vertexSource),
    compileShader(gl, gl.FRAGMENT_SHADER, fragmentSource),
  ];
  shaders.forEach((shader) => gl.attachShader(program, shader));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    const logs = [gl.getProgramInfoLog(program), ...shaders.map((x) => gl.getShaderInfoLog(x))];
    throw new Error(
      `${kernelName}: the program must compile, got ${logs.filter(Boolean).join('\n')}`,
    );
  }
  shaders.forEach((shader) => gl.deleteShader(shader));
  const locations = new Map<string, WebGLUniformLocation | null>();
  return {
    program,
    location: (name) => {
      let location = locations.get(name);
      if (location === undefined) {
        location = gl.getUniformLocation(program, name);
        locations.set(name, location);
      }
      return location;
    },
  };
}

function compileShader(gl: WebGL2RenderingContext, type: GLenum, source: string): WebGLShader {
  const shader = gl.createShader(type)!;
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  return shader;
}
