/** The least multiple of `multiple` that is not below `value`; GLSL rounds quotients towards zero. */
export const ROUND_UP = `
  int roundUp(int value, int multiple) {
    return (value > 0 ? (value + multiple - 1) / multiple : value / multiple) * multiple;
  }`;
