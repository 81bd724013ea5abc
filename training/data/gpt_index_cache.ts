import {createHash} from 'node:crypto';
import {RunFolder} from '../run_folder';
import type {HostTensor} from '../safetensors';
import {decodeSealedSafetensors, encodeSealedSafetensors} from '../sealed_safetensors';
import {buildGptIndex, type GptIndex, type GptIndexConfig} from './gpt_index';

/** Changes whenever the same settings would give another index than before. */
const VERSION = 1;

/**
 * Builds indices, and keeps them in a folder, each in a safetensors file that is written whole or not at all:
 * the next run with the same settings and the same sizes of sequences reads its own from there. One that is
 * damaged is built anew.
 *
 * @param onFailure Hears, once, that nothing can be written there; the index is built all the same.
 */
export function cachedGptIndex(
  path: string,
  onFailure?: (message: string) => void,
): (config: GptIndexConfig) => GptIndex {
  const folder = new RunFolder(path, onFailure);
  return (config) => {
    const name = `${hashOf(config)}-GPTDataset.safetensors`;
    const cached = read(folder, name);
    if (cached != null) {
      return cached;
    }
    const index = buildGptIndex(config);
    folder.write(name, encode(index));
    return index;
  };
}

/** Of all that decides the index. */
function hashOf({sizes, begin, end, ...settings}: GptIndexConfig): string {
  const {sequenceLength, numSamples, seed} = settings;
  const used = sizes.subarray(begin, end);
  return createHash('sha256')
    .update(JSON.stringify([VERSION, begin, end, sequenceLength, numSamples, seed]))
    .update(new Uint8Array(used.buffer, used.byteOffset, used.byteLength))
    .digest('hex')
    .slice(0, 32);
}

function encode({numEpochs, documentIndex, sampleIndex, shuffleIndex}: GptIndex): Uint8Array[] {
  const {buffer, byteOffset, length} = shuffleIndex;
  const tensors = new Map<string, HostTensor>([
    ['document_index', {shape: [documentIndex.length], values: documentIndex}],
    ['sample_index', {shape: [sampleIndex.length / 2, 2], values: sampleIndex}],
    // Below 2^31, as all lengths of arrays here are.
    ['shuffle_index', {shape: [length], values: new Int32Array(buffer, byteOffset, length)}],
  ]);
  return encodeSealedSafetensors({tensors, metadata: {numEpochs: String(numEpochs)}}).parts;
}

/** Undefined where there is none, or where it is damaged. */
function read(folder: RunFolder, name: string): GptIndex | undefined {
  try {
    const {tensors, metadata} = decodeSealedSafetensors(folder.read(name)!, name);
    const valuesOf = (tensor: string) => tensors.get(tensor)!.values as Int32Array;
    const {buffer, byteOffset, length} = valuesOf('shuffle_index');
    return {
      numEpochs: Number(metadata.numEpochs),
      documentIndex: valuesOf('document_index'),
      sampleIndex: valuesOf('sample_index'),
      shuffleIndex: new Uint32Array(buffer, byteOffset, length),
    };
  } catch {
    return undefined;
  }
}
