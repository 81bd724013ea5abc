import {readdirSync, statSync} from 'node:fs';
import {join} from 'node:path';

/**
 * The files of a folder and of those in it, in the order of their names. What is hidden is left out. A link
 * to a file is one; a linked folder is not followed, as it may lead back here.
 */
export function listFiles(folder: string): string[] {
  return readdirSync(folder, {withFileTypes: true})
    .filter(({name}) => !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      const kind = entry.isSymbolicLink() ? statSync(path, {throwIfNoEntry: false}) : entry;
      return entry.isDirectory() ? listFiles(path) : kind?.isFile() ? [path] : [];
    });
}
