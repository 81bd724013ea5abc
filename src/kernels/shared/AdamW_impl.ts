import type {AdamWAttrs} from '../../kernel_names';

/**
 * The update is value = decay value - stepSize firstMoment / (sqrt(secondMomentScale secondMoment) +
 * epsilon): what does not depend on the element, with the corrections of both moments' bias.
 */
export function adamWFactors({learningRate, beta1, beta2, weightDecay, step}: AdamWAttrs) {
  return {
    stepSize: learningRate / (1 - beta1 ** step),
    decay: 1 - learningRate * weightDecay,
    secondMomentScale: 1 / (1 - beta2 ** step),
  };
}
