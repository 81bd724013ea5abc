// One step of AdamW in one pass over parameter, gradient and both moments.

/**
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g g;
 * value = decay value - stepSize m / (sqrt(secondMomentScale v) + epsilon).
 */
export function adamW(
  size: i32, value: usize, gradient: usize, firstMoment: usize, secondMoment: usize,
  gradientScale: f32, beta1: f32, beta2: f32, epsilon: f32, stepSize: f32, decay: f32, secondMomentScale: f32,
  newValue: usize, newFirstMoment: usize, newSecondMoment: usize,
): void {
  const whole = (<usize>size & ~3) << 2;
  for (let i: usize = 0; i < whole; i += 16) {
    const g = f32x4.mul(f32x4.splat(gradientScale), v128.load(gradient + i));
    const m = f32x4.add(f32x4.mul(f32x4.splat(beta1), v128.load(firstMoment + i)),
      f32x4.mul(f32x4.splat(1 - beta1), g));
    const v = f32x4.add(f32x4.mul(f32x4.splat(beta2), v128.load(secondMoment + i)),
      f32x4.mul(f32x4.splat(1 - beta2), f32x4.mul(g, g)));
    const deviation = f32x4.add(
      f32x4.sqrt(f32x4.mul(v, f32x4.splat(secondMomentScale))), f32x4.splat(epsilon));
    v128.store(newFirstMoment + i, m);
    v128.store(newSecondMoment + i, v);
    v128.store(newValue + i, f32x4.sub(f32x4.mul(f32x4.splat(decay), v128.load(value + i)),
      f32x4.div(f32x4.mul(f32x4.splat(stepSize), m), deviation)));
  }
  for (let i = whole; i < (<usize>size << 2); i += 4) {
    const g = gradientScale * load<f32>(gradient + i);
    const m = beta1 * load<f32>(firstMoment + i) + (1 - beta1) * g;
    const v = beta2 * load<f32>(secondMoment + i) + (1 - beta2) * (g * g);
    store<f32>(newFirstMoment + i, m);
    store<f32>(newSecondMoment + i, v);
    store<f32>(newValue + i,
      decay * load<f32>(value + i) - stepSize * m / (Mathf.sqrt(v * secondMomentScale) + epsilon));
  }
}
