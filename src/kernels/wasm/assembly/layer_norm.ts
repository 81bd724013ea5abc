// Layer normalization, a row at a time.
import {horizontalSum} from './rows';

/** Leaves the mean of a row and 1 / sqrt(variance + epsilon) in `stats`. */
function rowStatistics(size: i32, x: usize, epsilon: f32, stats: usize): void {
  const whole = (<usize>size & ~3) << 2;
  const end = <usize>size << 2;
  let sums = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) sums = f32x4.add(sums, v128.load(x + i));
  let sum = horizontalSum(sums);
  for (let i = whole; i < end; i += 4) sum += load<f32>(x + i);
  const mean = sum / <f32>size;
  const means = f32x4.splat(mean);
  sums = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    const d = f32x4.sub(v128.load(x + i), means);
    sums = f32x4.add(sums, f32x4.mul(d, d));
  }
  sum = horizontalSum(sums);
  for (let i = whole; i < end; i += 4) {
    const d = load<f32>(x + i) - mean;
    sum += d * d;
  }
  store<f32>(stats, mean);
  store<f32>(stats, 1 / Mathf.sqrt(sum / <f32>size + epsilon), 4);
}

/** out = (x - mean) / sqrt(variance + epsilon) gamma + beta, row by row. `stats` holds two floats. */
export function layerNorm(
  rows: i32, size: i32, x: usize, gamma: usize, beta: usize, epsilon: f32, out: usize, stats: usize,
): void {
  const whole = (<usize>size & ~3) << 2;
  const end = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    rowStatistics(size, x, epsilon, stats);
    const mean = load<f32>(stats), scale = load<f32>(stats, 4);
    const means = f32x4.splat(mean), scales = f32x4.splat(scale);
    for (let i: usize = 0; i < whole; i += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + i), means), scales);
      v128.store(out + i, f32x4.add(f32x4.mul(normal, v128.load(gamma + i)), v128.load(beta + i)));
    }
    for (let i = whole; i < end; i += 4) {
      store<f32>(out + i,
        (load<f32>(x + i) - mean) * scale * load<f32>(gamma + i) + load<f32>(beta + i));
    }
    x += end; out += end;
  }
}

/**
 * With g = gamma dy and n the normalized row: dx = (g - mean(g) - n mean(g n)) / sqrt(variance +
 * epsilon).
 */
export function layerNormGrad(
  rows: i32, size: i32, x: usize, gamma: usize, dy: usize, epsilon: f32, dx: usize, stats: usize,
): void {
  const whole = (<usize>size & ~3) << 2;
  const end = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    rowStatistics(size, x, epsilon, stats);
    const mean = load<f32>(stats), scale = load<f32>(stats, 4);
    const means = f32x4.splat(mean), scales = f32x4.splat(scale);
    let sums = f32x4.splat(0), products = f32x4.splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + i), means), scales);
      const g = f32x4.mul(v128.load(dy + i), v128.load(gamma + i));
      sums = f32x4.add(sums, g);
      products = f32x4.add(products, f32x4.mul(g, normal));
    }
    let sum = horizontalSum(sums), product = horizontalSum(products);
    for (let i = whole; i < end; i += 4) {
      const g = load<f32>(dy + i) * load<f32>(gamma + i);
      sum += g;
      product += g * (load<f32>(x + i) - mean) * scale;
    }
    const meanG = sum / <f32>size, meanGN = product / <f32>size;
    const meansG = f32x4.splat(meanG), meansGN = f32x4.splat(meanGN);
    for (let i: usize = 0; i < whole; i += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + i), means), scales);
      const g = f32x4.mul(v128.load(dy + i), v128.load(gamma + i));
      v128.store(dx + i, f32x4.mul(
        f32x4.sub(f32x4.sub(g, meansG), f32x4.mul(normal, meansGN)), scales));
    }
    for (let i = whole; i < end; i += 4) {
      const normal = (load<f32>(x + i) - mean) * scale;
      store<f32>(dx + i, (load<f32>(dy + i) * load<f32>(gamma + i) - meanG - normal * meanGN) * scale);
    }
    x += end; dy += end; dx += end;
  }
}

/** dgamma, zero at the start, collects dy times the normalized rows. */
export function layerNormGammaGrad(
  rows: i32, size: i32, x: usize, dy: usize, epsilon: f32, dgamma: usize, stats: usize,
): void {
  const whole = (<usize>size & ~3) << 2;
  const end = <usize>size << 2;
  for (let row = 0; row < rows; row++) {
    rowStatistics(size, x, epsilon, stats);
    const mean = load<f32>(stats), scale = load<f32>(stats, 4);
    const means = f32x4.splat(mean), scales = f32x4.splat(scale);
    for (let i: usize = 0; i < whole; i += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + i), means), scales);
      v128.store(dgamma + i,
        f32x4.add(v128.load(dgamma + i), f32x4.mul(v128.load(dy + i), normal)));
    }
    for (let i = whole; i < end; i += 4) {
      const normal = (load<f32>(x + i) - mean) * scale;
      store<f32>(dgamma + i, load<f32>(dgamma + i) + load<f32>(dy + i) * normal);
    }
    x += end; dy += end;
  }
}
