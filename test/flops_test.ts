import {LANGUAGE_MODEL_PRESETS, type PresetName} from '../models/presets';
import {flopsPerToken} from '../training/flops';

describe('flopsPerToken', () => {
  // Table 1 of the paper: GFLOP a sequence.
  it.each([
    ['xs', 316],
    ['small', 879],
    ['medium', 2487],
    ['large', 5122],
    ['xl', 8684],
  ] as [PresetName, number][])('gives the GFLOP of the paper for %s', (name, gigaflop) => {
    const {numLayers, hiddenSize, sequenceLength, vocabSize} = LANGUAGE_MODEL_PRESETS[name];
    const flops = flopsPerToken({
      ...{numLayers, hiddenSize, sequenceLength, vocabSize},
      ffnHiddenSize: 4 * hiddenSize,
    });
    expect(Math.round((flops * sequenceLength) / 1e9)).toBe(gigaflop);
  });

  it('counts the experts of a token and the router', () => {
    const size = {numLayers: 2, hiddenSize: 4, ffnHiddenSize: 8, sequenceLength: 1, vocabSize: 16};
    const dense = flopsPerToken(size);
    const feedForward = 2 * 3 * 2 * (2 * 4 * 8); // Layers, passes, multiply and add, two products.
    const router = 2 * 3 * 2 * (4 * 5);
    expect(flopsPerToken({...size, expertsPerToken: 3, numExperts: 5})).toBe(
      dense + 2 * feedForward + router,
    );
  });
});
