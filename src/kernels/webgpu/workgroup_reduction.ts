/** The values of all lanes of a workgroup, or of each of its teams, as one. */
export interface Reduction {
  /** Of the WGSL function: `fn NAME(lane : u32, value : TYPE) -> TYPE`, the same result for a whole team. */
  name: string;
  type: string;
  /** Lanes of a team, a power of two. */
  size: number;
  /** How many there are, side by side. Default: one. */
  teams?: number;
  /** WGSL: two values as one. Default: their sum. */
  combine?: (a: string, b: string) => string;
}

const RADIX = 8;

/**
 * WGSL: the function of a reduction; to be called where all lanes come by. Eight values at a time: three
 * barriers for 64 lanes, where halves would take seven.
 */
export function workgroupReduction({name, type, size, teams = 1, combine}: Reduction): string {
  const both = combine ?? ((a, b) => `${a} + ${b}`);
  const partials = `${name}Partials`;
  const steps: string[] = [];
  const inTeam = teams === 1 ? 'lane' : `(lane % ${size}u)`;
  let remaining = size;
  while (remaining > RADIX) {
    const width = remaining / RADIX;
    steps.push(`
      if (${inTeam} < ${width}u) {
        var total = ${partials}[lane];
        for (var i = 1u; i < ${RADIX}u; i++) {
          total = ${both('total', `${partials}[lane + i * ${width}u]`)};
        }
        ${partials}[lane] = total;
      }
      workgroupBarrier();`);
    remaining = width;
  }
  return `
    var<workgroup> ${partials} : array<${type}, ${size * teams}>;
    fn ${name}(lane : u32, value : ${type}) -> ${type} {
      // The last result may still be read.
      workgroupBarrier();
      ${partials}[lane] = value;
      workgroupBarrier();
      ${steps.join('')}
      let first = lane - ${inTeam};
      var result = ${partials}[first];
      for (var i = 1u; i < ${remaining}u; i++) {
        result = ${both('result', `${partials}[first + i]`)};
      }
      return result;
    }`;
}
