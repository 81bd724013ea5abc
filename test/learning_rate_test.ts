import {type Logs} from '@tensorflow/tfjs-layers';
import {learningRateCallback, warmupCosine} from '../training/learning_rate';

describe('warmupCosine', () => {
  const schedule = warmupCosine({peak: 1, end: 0.1, warmupSteps: 4, totalSteps: 14});

  it('rises in a line', () => {
    expect([0, 1, 2, 3].map(schedule)).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('falls along a cosine and stays at the end', () => {
    expect(schedule(8)).toBeCloseTo(0.55, 10); // Half-way between steps 3 and 13.
    expect(schedule(13)).toBeCloseTo(0.1, 10);
    expect(schedule(1000)).toBeCloseTo(0.1, 10);
  });

  it('ends at a tenth of the peak by default', () => {
    expect(warmupCosine({peak: 2, warmupSteps: 0, totalSteps: 5})(4)).toBeCloseTo(0.2, 10);
  });

  it.each([
    {warmupSteps: 0, totalSteps: 1},
    {warmupSteps: 1, totalSteps: 1},
    {warmupSteps: 5, totalSteps: 5},
  ])('is finite for %j', (steps) => {
    const short = warmupCosine({peak: 1, ...steps});
    for (let step = 0; step < 7; step++) {
      expect(short(step)).toBeGreaterThan(0);
      expect(short(step)).toBeLessThanOrEqual(1);
    }
  });

  it('refuses bad input', () => {
    const make = (change: object) => () =>
      warmupCosine({peak: 1, warmupSteps: 1, totalSteps: 10, ...change});
    expect(make({peak: -1})).toThrow('warmupCosine: peak must be a number of at least 0, got -1');
    expect(make({end: NaN})).toThrow('warmupCosine: end must be a number of at least 0, got NaN');
    expect(make({warmupSteps: 11})).toThrow(
      'warmupCosine: warmupSteps must be an integer from 0 to 10, got 11',
    );
    expect(make({totalSteps: 0})).toThrow(
      'warmupCosine: totalSteps must be an integer of at least 1, got 0',
    );
  });
});

describe('learningRateCallback', () => {
  it('sets the rate of the step before each batch', async () => {
    const rates: number[] = [];
    const optimizer = {setLearningRate: (rate: number) => rates.push(rate)};
    const callback = learningRateCallback(optimizer, (step) => step / 10, 3);
    for (const batch of [0, 1, 0]) {
      await callback.onBatchBegin!(batch, {} as Logs);
    }
    expect(rates).toEqual([0.3, 0.4, 0.5]);
  });
});
