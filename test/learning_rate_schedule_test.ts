import {
  assertSchedule,
  DECAY_STYLES,
  learningRateAt,
  type LearningRateSchedule,
} from '../training/learning_rate_schedule';

const schedule: LearningRateSchedule = {
  decayStyle: 'cosine',
  maxLearningRate: 1,
  minLearningRate: 0.1,
  warmupSteps: 4,
  decaySteps: 14,
};
const rates = (change: Partial<LearningRateSchedule>, steps: number[]) =>
  steps.map((step) => learningRateAt({...schedule, ...change}, step));

describe('learning rate schedules', () => {
  it.each(DECAY_STYLES)('%s rises in a line to its maximum', (decayStyle) => {
    expect(rates({decayStyle}, [0, 1, 2, 3])).toEqual([0.25, 0.5, 0.75, 1]);
  });

  // Between steps 3, at the maximum, and 13, at the minimum: a tenth, a half, nine tenths, and after.
  it.each([
    ['constant', [1, 1, 1, 1, 1]],
    ['linear', [0.91, 0.55, 0.19, 0.1, 0.1]],
    ['cosine', [0.977975, 0.55, 0.122025, 0.1, 0.1]],
    ['inverse-square-root', [0.894427, 0.666667, 0.5547, 0.1, 0.1]],
  ] as const)('%s', (decayStyle, expected) => {
    rates({decayStyle}, [4, 8, 12, 13, 1000]).forEach((rate, i) =>
      expect(rate).toBeCloseTo(expected[i], 6),
    );
  });

  it('go on for ever without an end', () => {
    const change = {decaySteps: undefined, minLearningRate: 0, warmupSteps: 100};
    expect(rates({...change, decayStyle: 'inverse-square-root'}, [399, 9999])).toEqual([0.5, 0.1]);
    expect(rates({...change, decayStyle: 'constant'}, [399, 9999])).toEqual([1, 1]);
  });

  it.each([
    {warmupSteps: 0, decaySteps: 1},
    {warmupSteps: 1, decaySteps: 1},
    {warmupSteps: 5, decaySteps: 5},
    {warmupSteps: undefined, decaySteps: 3},
  ])('are within their range for %j', (steps) => {
    for (const decayStyle of DECAY_STYLES) {
      for (const rate of rates({decayStyle, ...steps}, [0, 1, 2, 3, 4, 5, 6])) {
        expect(rate).toBeGreaterThanOrEqual(0.1);
        expect(rate).toBeLessThanOrEqual(1);
      }
    }
  });

  it.each([
    [
      {decayStyle: 'step'},
      "decayStyle must be one of 'constant', 'linear', 'cosine', 'inverse-square-root', got 'step'",
    ],
    [{maxLearningRate: -1}, 'maxLearningRate must be a number of at least 0, got -1'],
    [{minLearningRate: 2}, 'minLearningRate must be a number from 0 to 1, got 2'],
    [{warmupSteps: 1.5}, 'warmupSteps must be an integer of at least 0, got 1.5'],
    [{warmupSteps: 15}, 'decaySteps must be an integer of at least 15, got 14'],
    [{decaySteps: undefined}, 'decaySteps must be an integer of at least 4, got undefined'],
  ])('refuse %j', (change, message) => {
    const wrong = {...schedule, ...change} as LearningRateSchedule;
    expect(() => assertSchedule('AdamW', wrong)).toThrow(`AdamW: ${message}`);
  });
});
