/**
 * WGSL: `fn sumBefore(value : i32, lane : u32) -> i32`, the sum of the values of the lanes before, among
 * the first `count`. All lanes of the workgroup must call it. It works in the first `count` elements of
 * `memory`, a workgroup array of i32, and leaves the sum of all in the last of them.
 */
export function sumBefore(memory: string, count: number): string {
  return `
    fn sumBefore(value : i32, lane : u32) -> i32 {
      var sum = value;
      if (lane < ${count}u) { ${memory}[lane] = sum; }
      for (var distance = 1u; distance < ${count}u; distance *= 2u) {
        workgroupBarrier();
        if (lane >= distance && lane < ${count}u) { sum += ${memory}[lane - distance]; }
        workgroupBarrier();
        if (lane < ${count}u) { ${memory}[lane] = sum; }
      }
      workgroupBarrier();
      return sum - value;
    }`;
}
