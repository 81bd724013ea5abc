import type {ProductPrecision} from './backend';

/**
 * The floating-point operations a second that GPUs have at most, in TFLOP/s: of float32 on their vector
 * units, of half precision with float32 sums on their matrix units, without sparsity. By NVIDIA's data sheets.
 */
const PEAKS: [name: RegExp, teraflops: {float32: number; half: number}][] = [
  [/\bH200\b/, {float32: 67, half: 989}],
  [/\bH100\b.*\bPCIe\b/i, {float32: 51, half: 756}],
  [/\bH100\b/, {float32: 67, half: 989}],
  [/\bA100\b/, {float32: 19.5, half: 312}],
  [/\bV100\b.*\bPCIe\b/i, {float32: 14, half: 112}],
  [/\bV100\b/, {float32: 15.7, half: 125}],
  [/\bL40S\b/, {float32: 91.6, half: 362}],
  [/\bL4\b/, {float32: 30.3, half: 121}],
  [/\bT4\b/, {float32: 8.1, half: 65}],
];

/**
 * The operations a second that a GPU has at most; undefined where it is not known.
 *
 * @param gpu What the GPU calls itself.
 */
export function peakFlops(
  gpu: string | undefined,
  precision: ProductPrecision,
): number | undefined {
  const found = gpu == null ? undefined : PEAKS.find(([name]) => name.test(gpu));
  return found && found[1][precision === 'float32' ? 'float32' : 'half'] * 1e12;
}
