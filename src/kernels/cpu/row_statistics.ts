/** The mean of a row and 1 / sqrt(variance + epsilon). */
export function rowStatistics(row: Float32Array, epsilon: number): {mean: number; scale: number} {
  const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  return {mean, scale: 1 / Math.sqrt(variance + epsilon)};
}
