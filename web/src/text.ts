// What a user gives to train on, checked before it costs any time.

/** A text, or why it cannot be one. */
export type TextResult = {text: string} | {problem: string};

/** Below this a tenth that is held out fills no batch of the smallest model. */
export const MIN_CHARACTERS = 10_000;
const MAX_CHARACTERS = 50_000_000;

/** Checks a text that was pasted or read. */
export function checkText(text: string): TextResult {
  const {length} = text.trim();
  if (length === 0) {
    return {problem: 'The text is empty.'};
  }
  if (text.includes('\0')) {
    return {problem: 'This is not text: it has zero bytes in it.'};
  }
  if (length < MIN_CHARACTERS || length > MAX_CHARACTERS) {
    const [bound, limit] =
      length < MIN_CHARACTERS ? ['at least', MIN_CHARACTERS] : ['at most', MAX_CHARACTERS];
    return {
      problem:
        `The text must have ${bound} ${limit.toLocaleString('en')} characters; ` +
        `this has ${length.toLocaleString('en')}.`,
    };
  }
  return {text};
}

/** Reads a file that must be UTF-8 text. */
export async function readTextFile(file: File): Promise<TextResult> {
  // A character has four bytes at most: a larger file need not be read to be refused.
  if (file.size > 4 * MAX_CHARACTERS) {
    return {problem: `The file is too large: ${file.size.toLocaleString('en')} bytes.`};
  }
  try {
    const bytes = await file.arrayBuffer();
    return checkText(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch (error) {
    return {
      problem:
        error instanceof TypeError
          ? 'The file is not UTF-8 text.'
          : `The file cannot be read: ${(error as Error).message}`,
    };
  }
}
