// What the wasm kernels compute with SIMD, on the heap of the tfjs wasm backend: pointers are byte
// addresses there. Nothing here allocates or holds static data, since the heap is not ours.
export {activation, activationGrad} from './activation';
export {adamW} from './adamw';
export {gemm, gemmScratchBytes} from './gemm';
export {dotRows, pullRows, pushAddRows, pushRows} from './indexed_rows';
export {layerNorm, layerNormGammaGrad, layerNormGrad} from './layer_norm';
export {causalSoftmax, causalSoftmaxGrad, scaledExponentials, softmaxSums} from './softmax';
export {sortByDigit} from './sort';
export {sumOfSquares} from './sum_of_squares';
