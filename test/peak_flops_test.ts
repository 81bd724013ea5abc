import {peakFlops} from '../training/peak_flops';

describe('the peak of a GPU', () => {
  it.each([
    ['NVIDIA H100 80GB HBM3', 'float16', 989e12],
    ['NVIDIA H100 80GB HBM3, compute capability 9.0', 'bfloat16', 989e12],
    ['NVIDIA H100 PCIe', 'float16', 756e12],
    ['NVIDIA H200', 'float32', 67e12],
    ['NVIDIA A100-SXM4-80GB', 'float32', 19.5e12],
    ['Tesla T4', 'float16', 65e12],
    ['NVIDIA L40S', 'float32', 91.6e12],
    ['NVIDIA L4', 'float32', 30.3e12],
    ['SwiftShader Device', 'float32', undefined],
    [undefined, 'float32', undefined],
  ] as const)('%s in %s', (gpu, precision, expected) => {
    expect(peakFlops(gpu, precision)).toBe(expected);
  });
});
