// What the tests use of Node.js, for a page. `node:fs` knows the files that were fetched before.

const files = new Map<string, Uint8Array<ArrayBuffer>>();

/** Fetches the files that the server names, each under its path there. */
export async function fetchFiles() {
  const paths = (await (await fetch('/files.json')).json()) as string[];
  await Promise.all(
    paths.map(async (path) => {
      files.set(path, new Uint8Array(await (await fetch(path)).arrayBuffer()));
    }),
  );
}

export function readFileSync(path: string, encoding?: 'utf8'): Uint8Array | string {
  const file = files.get(path);
  if (file == null) {
    throw new Error(`the page has no file ${path}`);
  }
  return encoding == null ? file : new TextDecoder(encoding).decode(file);
}

export function readdirSync(folder: string): string[] {
  const names = [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
  return names.map((path) => path.slice(folder.length + 1));
}

export function join(...parts: string[]): string {
  return parts.join('/');
}

/** Titles have strings, numbers and JSON in them. */
export function format(placeholder: string, value: unknown): string {
  return placeholder === '%j' ? JSON.stringify(value) : String(value);
}

export function inspect(value: unknown): string {
  // JSON has no NaN and no infinity.
  return typeof value === 'number' ? String(value) : JSON.stringify(value);
}
