import {BytePairEncoding, trainBytePairEncoding} from '../../../training/byte_pair_encoding';
import {splitDocuments, type TextDocument} from '../../../training/documents';
import {countIds, encodeDocuments} from '../../../training/encode_documents';
import type {RunStorage} from '../../../training/run_storage';
import {type Run, TOKENIZER_FILE} from '../run';
import {BUILT_IN_TEXT} from '../sample_text';
import {SIZES} from '../settings';
import {loadText} from '../storage/runs';

/** The text of a run as a model sees it. */
export interface Corpus {
  tokenizer: BytePairEncoding;
  /** The ids of each document. */
  train: Int32Array[];
  validation: Int32Array[];
}

/**
 * Loads a run's text, holds a part out and encodes both; the tokenizer is the run's own, or learns from
 * the first part and is left with the run.
 *
 * @throws If the text is gone, or too short for the size of the model.
 */
export async function loadCorpus(run: Run, files: RunStorage): Promise<Corpus> {
  const {size} = run.settings;
  const {label, batch, sequence, vocab} = SIZES[size];
  const {train, validation} = splitDocuments(await loadDocuments(run));
  const tokenizer = loadTokenizer(files) ?? learnTokenizer(train, vocab, files);
  const ids = encodeDocuments(tokenizer, validation);
  if (countIds(ids) <= batch * sequence) {
    throw new Error(
      `The text is too short for the size '${label}': the tenth that is held out must have more than ` +
        `${batch * sequence} tokens, and has ${countIds(ids)}. A smaller size or a longer text works.`,
    );
  }
  return {
    tokenizer,
    train: encodeDocuments(tokenizer, train),
    validation: ids,
  };
}

/** The tokenizer that a run was begun with, if it was. */
export function loadTokenizer(files: RunStorage): BytePairEncoding | undefined {
  const file = files.read(TOKENIZER_FILE);
  return file && BytePairEncoding.fromJSON(JSON.parse(new TextDecoder().decode(file)));
}

function learnTokenizer(
  documents: TextDocument[],
  vocabSize: number,
  files: RunStorage,
): BytePairEncoding {
  const texts = documents.map(({text}) => text);
  const tokenizer = trainBytePairEncoding(texts, vocabSize);
  void files.write(TOKENIZER_FILE, JSON.stringify(tokenizer));
  return tokenizer;
}

async function loadDocuments({textId, textName}: Run): Promise<TextDocument[]> {
  if (textId === BUILT_IN_TEXT.id) {
    return (await import('virtual:moby-dick')).default;
  }
  const stored = await loadText(textId);
  if (stored == null) {
    throw new Error(`The text '${textName}' is no longer in the browser's storage.`);
  }
  return [stored];
}
