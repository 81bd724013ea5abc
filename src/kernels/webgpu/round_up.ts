/**
 * WGSL: rounds up to a multiple, which WGSL's division, towards zero, does below zero as it is. In u32,
 * where the negative of the least i32 exists too; beyond its range results wrap, as everywhere.
 */
export const ROUND_UP = `
  fn roundUp(value : i32, multiple : u32) -> i32 {
    if (value > 0) { return i32(((u32(value) - 1u) / multiple + 1u) * multiple); }
    return -i32((0u - u32(value)) / multiple * multiple);
  }`;
