import {basename, dirname} from 'node:path';
import {trainBytePairEncoding} from '../byte_pair_encoding';
import {RunFolder} from '../run_folder';
import {assertJsonKeys, type InputFile, readParts} from './input';
import {readDocuments} from './task';

/** A tokenizer learns from so much of the text at most, from its beginning on. */
const MAX_CHARACTERS = 2 ** 26;

/**
 * Learns a byte-pair encoding from the text of inputs and writes it as a tokenizer.json.
 *
 * @param jsonKeys The fields of a line of JSON that have text.
 */
export async function learnTokenizerFile(
  file: string,
  inputs: readonly InputFile[],
  jsonKeys: readonly string[],
  vocabSize: number,
) {
  assertJsonKeys(jsonKeys, inputs);
  const texts: string[] = [];
  let characters = 0;
  for await (const {task} of readParts(inputs, {file: 0, byte: 0})) {
    for (const text of readDocuments(task, jsonKeys).flat()) {
      texts.push(text);
      characters += text.length;
    }
    if (characters >= MAX_CHARACTERS) {
      break;
    }
  }
  const tokenizer = trainBytePairEncoding(texts, vocabSize);
  new RunFolder(dirname(file), (message) => {
    throw new Error(`preprocess: ${message}`);
  }).write(basename(file), JSON.stringify(tokenizer));
}
