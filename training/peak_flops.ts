import type {Precision} from '../src/kernel_names';

/**
 * The floating-point operations a second that GPUs have at most, in TFLOP/s: of float32 on their vector
 * units, of float16 with float32 sums on their matrix units, without sparsity. By NVIDIA's data sheets.
 */
const PEAKS: [name: RegExp, teraflops: Record<Precision, number>][] = [
  [/\bH200\b/, {float32: 67, float16: 989}],
  [/\bH100\b.*\bPCIe\b/i, {float32: 51, float16: 756}],
  [/\bH100\b/, {float32: 67, float16: 989}],
  [/\bA100\b/, {float32: 19.5, float16: 312}],
  [/\bV100\b.*\bPCIe\b/i, {float32: 14, float16: 112}],
  [/\bV100\b/, {float32: 15.7, float16: 125}],
  [/\bL40S\b/, {float32: 91.6, float16: 362}],
  [/\bL4\b/, {float32: 30.3, float16: 121}],
  [/\bT4\b/, {float32: 8.1, float16: 65}],
];

/**
 * The operations a second that a GPU has at most; undefined where it is not known.
 *
 * @param gpu What the GPU calls itself.
 */
export function peakFlops(gpu: string | undefined, precision: Precision): number | undefined {
  const found = gpu == null ? undefined : PEAKS.find(([name]) => name.test(gpu));
  return found && found[1][precision] * 1e12;
}
