import {StepGap} from '../web/src/worker/step_gap';

test('what is asked for while training waits to begin is computed in its gaps', async () => {
  const gap = new StepGap();
  const order: string[] = [];
  let endFirst!: () => void;
  const first = gap.run(() => new Promise<void>((resolve) => (endFirst = resolve)));
  await Promise.resolve(); // It has begun.
  const training = gap.whileTraining(async () => {
    order.push('training begins');
    await new Promise((resolve) => setTimeout(resolve));
    order.push('training ends');
  });
  const second = gap.run(async (isTraining) => void order.push(`training: ${isTraining}`));
  endFirst();
  await Promise.all([first, training, second]);
  expect(order).toEqual(['training begins', 'training ends', 'training: false']);
});

test('what waits when training ends is computed before the next begins, as what it was asked for', async () => {
  const gap = new StepGap();
  const asked: boolean[] = [];
  let endSecond!: () => void;
  const first = gap.whileTraining(() => new Promise((resolve) => setTimeout(resolve)));
  const second = gap.run((isTraining) => {
    asked.push(isTraining);
    return new Promise<void>((resolve) => (endSecond = resolve));
  });
  const third = gap.run(async (isTraining) => void asked.push(isTraining));
  await first;
  const next = gap.whileTraining(async () => undefined);
  endSecond();
  await Promise.all([second, third, next]);
  expect(asked).toEqual([false, false]);
});
