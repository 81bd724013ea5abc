import {roundUpValue} from './RoundUp_impl';

/** tokensPerExpert [E] -> out [E]: inclusive sums of the counts rounded up to `blockSize`. */
export function paddedBins(tokensPerExpert: Int32Array, blockSize: number, out: Int32Array) {
  for (let expert = 0, end = 0; expert < out.length; expert++) {
    end += roundUpValue(tokensPerExpert[expert], blockSize);
    out[expert] = end;
  }
}
