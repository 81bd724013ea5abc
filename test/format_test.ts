import {formatBytes, formatCount, formatDuration, formatPerplexity} from '../training/format';

describe('formatDuration', () => {
  it.each([
    [0.4, '0 s'],
    [59.4, '59 s'],
    [59.6, '1:00'],
    [83, '1:23'],
    [3723, '1:02:03'],
    [NaN, '-'],
    [Infinity, '-'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe('formatCount', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1.00 k'],
    [999_499, '999 k'],
    [999_500, '1.00 M'],
    [45_600_000, '45.6 M'],
    [1.316e9, '1.32 G'],
    [8.7e12, '8.70 T'],
  ])('writes %d as %s', (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [999_600, '1 MB'],
    [45_600_000, '45.6 MB'],
    [1.316e15, '1320 TB'],
  ])('writes %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatPerplexity', () => {
  it.each([
    [0, '1.000'],
    [Math.log(33.115), '33.12'],
    [Math.log(999.4), '999.4'],
    [Math.log(36520.4), '36,520'],
  ])('writes the loss %d as %s', (loss, text) => {
    expect(formatPerplexity(loss)).toBe(text);
  });
});
