/** What is written to a file: text, or bytes one after the other. */
export type FileContents = string | readonly Uint8Array[];

/** Where a run keeps its files: a folder of the disk, or the storage of a browser. */
export interface RunStorage {
  /** What messages call it. */
  readonly path: string;
  /** The names of the files, in order. */
  list(): string[];
  /** The contents of a file, undefined where there is none. */
  read(name: string): Uint8Array | undefined;
  /** Writes a file whole or not at all, and says which. */
  write(name: string, contents: FileContents): boolean | Promise<boolean>;
  /** Like `write`, while other work goes on. Optional: `write` takes its place. */
  writeAside?(name: string, contents: FileContents): Promise<boolean>;
  /** Adds to the end of a file, and says whether that worked. */
  append(name: string, text: string): boolean;
  /** Removes a file, if it is there, and says whether it is gone. */
  remove(name: string): boolean;
}
