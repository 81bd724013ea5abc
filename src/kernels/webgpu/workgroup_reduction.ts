/** The values of all lanes of a workgroup as one. */
export interface Reduction {
  /** Of the WGSL function: `fn NAME(lane : u32, value : TYPE) -> TYPE`, the same result for all lanes. */
  name: string;
  type: string;
  /** Lanes, a power of two. */
  size: number;
  /** WGSL: two values as one. Default: their sum. */
  combine?: (a: string, b: string) => string;
}

const RADIX = 8;

/**
 * WGSL: the function of a reduction; to be called where all lanes come by. Eight values at a time: three
 * barriers for 64 lanes, where halves would take seven.
 */
export function workgroupReduction({name, type, size, combine}: Reduction): string {
  const both = combine ?? ((a, b) => `${a} + ${b}`);
  const partials = `${name}Partials`;
  const steps: string[] = [];
  let remaining = size;
  while (remaining > RADIX) {
    const width = remaining / RADIX;
    steps.push(`
      if (lane < ${width}u) {
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
    var<workgroup> ${partials} : array<${type}, ${size}>;
    fn ${name}(lane : u32, value : ${type}) -> ${type} {
      // The last result may still be read.
      workgroupBarrier();
      ${partials}[lane] = value;
      workgroupBarrier();
      ${steps.join('')}
      var result = ${partials}[0];
      for (var i = 1u; i < ${remaining}u; i++) { result = ${both('result', `${partials}[i]`)}; }
      return result;
    }`;
}
