/** Repeats WGSL with the numbers from 0 up: for what must stay in registers, or wait for memory together. */
export function unroll(count: number, code: (i: number) => string): string {
  return Array.from({length: count}, (_, i) => code(i)).join('\n');
}
