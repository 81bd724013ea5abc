/** One text: a chapter, a speech, or a file. */
export interface TextDocument {
  name: string;
  text: string;
}

/** One document in so many is held out for validation. */
const HOLD_OUT_EVERY = 10;

/** A document longer than this part of the whole text is cut before documents are held out. */
const LONGEST_PART = 1 / (2 * HOLD_OUT_EVERY);

/**
 * Splits documents into those to train on and those to validate on, always in the same way.
 *
 * Every tenth document is held out, and not the tail of the text: a window of the validation set then
 * never continues a passage that was trained on, and the validation set is of the same kind as the
 * training set even where the text changes on its way, as two centuries of speeches do. A document
 * that is too long for that, such as a novel in one file, is first cut at white space, or between any
 * characters where a script has none.
 *
 * @throws If there is too little text to hold anything out.
 */
export function splitDocuments(documents: TextDocument[]): {
  train: TextDocument[];
  validation: TextDocument[];
} {
  const total = countCharacters(documents);
  const parts = documents.flatMap((document) => cut(document, total * LONGEST_PART));
  if (parts.length < HOLD_OUT_EVERY) {
    throw new Error(
      `data: the text must have at least ${HOLD_OUT_EVERY} parts, to hold one out for validation, ` +
        `got ${parts.length} of ${total} characters together`,
    );
  }
  const isHeldOut = (index: number) => index % HOLD_OUT_EVERY === HOLD_OUT_EVERY - 1;
  return {
    train: parts.filter((_, i) => !isHeldOut(i)),
    validation: parts.filter((_, i) => isHeldOut(i)),
  };
}

/** The number of characters (UTF-16 units) of all documents together. */
export function countCharacters(documents: TextDocument[]): number {
  return documents.reduce((sum, {text}) => sum + text.length, 0);
}

/** Cuts a document into parts of about equal length, none much above `limit`, at white space where there is some. */
function cut({name, text}: TextDocument, limit: number): TextDocument[] {
  const numParts = Math.ceil(text.length / limit);
  const size = text.length / numParts;
  const parts: TextDocument[] = [];
  for (let begin = 0; begin < text.length;) {
    const wanted = Math.max(begin, Math.round((parts.length + 1) * size) - 1);
    const end = endOfWord(text, wanted, size);
    parts.push({name: `${name} (part ${parts.length + 1})`, text: text.slice(begin, end)});
    begin = end;
  }
  return parts.length === 1 ? [{name, text}] : parts;
}

/** The place behind the next white space; behind the next character where that is not within so many. */
function endOfWord(text: string, begin: number, within: number): number {
  const space = text.slice(begin, begin + within).search(/\s/);
  return space < 0
    ? begin + String.fromCodePoint(text.codePointAt(begin)!).length
    : begin + space + 1;
}
