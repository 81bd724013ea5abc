import {assertCount} from '../src/asserts';
import type {FileContents, RunStorage} from './run_storage';
import type {HostTensor} from './safetensors';
import {decodeSealedSafetensors, encodeSealedSafetensors} from './sealed_safetensors';
import {checkSeal, NO_CHECKSUM, seal} from './seal';

// A checkpoint is one safetensors file, or, where that would be too large, several, the shards, with an index
// of which tensor is in which: `checkpoint-00000100-00001-of-00003.safetensors` and so on, and
// `checkpoint-00000100.safetensors.index.json`, as Hugging Face's libraries read them. The index has the
// checksums of the shards and is written after them: without it there is no checkpoint. So in both forms
// one file, which is put in its place at once, makes the checkpoint.

const STEM = /^checkpoint-(\d+)(-\d+-of-\d+)?\.safetensors/;
const COMPLETE = /^checkpoint-(\d+)\.safetensors(\.index\.json)?$/;
const INDEX = '.index.json';
/** The beginning of an index, up to its checksum. */
const INDEX_BEGIN = '{"metadata":{"crc32":"';

/** Tensors of a checkpoint up to this size are in memory at once, until they are written. */
const MAX_BYTES_IN_MEMORY = 2 ** 31;

const BYTES_AN_ELEMENT = 4;

/** A tensor that is yet to be read from its device. */
export interface UnreadTensor {
  name: string;
  shape: number[];
  read(): Promise<HostTensor>;
}

/** A checkpoint that is whole. */
export interface CheckpointContents {
  /** What errors call it. */
  path: string;
  metadata: Record<string, string>;
  /** All tensors, a file at a time. */
  shards(): Iterable<Map<string, HostTensor>>;
}

interface Index {
  metadata: Record<string, string>;
  /** Of each shard. */
  checksums: Record<string, string>;
  /** The shard of each tensor. */
  weight_map: Record<string, string>;
}

/** Checkpoints of one run as files. */
export class CheckpointFiles {
  /**
   * @param maxShardBytes What a file has at most of values, unless a single tensor has more.
   */
  constructor(
    private readonly storage: RunStorage,
    private readonly maxShardBytes: number,
  ) {
    assertCount('Checkpoints', 'maxShardBytes', maxShardBytes, {min: 1});
  }

  /** The steps at which there are checkpoints, ascending. */
  steps(): number[] {
    const steps = this.storage.list().flatMap((name) => COMPLETE.exec(name)?.[1] ?? []);
    return [...new Set(steps.map(Number))].sort((a, b) => a - b);
  }

  /** Removes every file of checkpoints of other steps: those of half-written ones, too. */
  keepOnly(steps: ReadonlySet<number>) {
    // The files that make a checkpoint go first.
    const files = this.storage.list().filter((name) => STEM.test(name));
    [...files.filter(isComplete), ...files.filter((name) => !isComplete(name))]
      .filter((name) => !steps.has(Number(STEM.exec(name)![1])))
      .forEach((name) => this.storage.remove(name));
  }

  /**
   * Writes a checkpoint, a shard at a time. What of it is larger than 2 GiB is read when what comes before is
   * written, so that no more than that is in memory.
   *
   * @returns When everything is read; `written` says whether it is on the disk.
   * @throws What `read` of a tensor throws; then nothing is left.
   */
  async startWriting(
    step: number,
    tensors: readonly UnreadTensor[],
    metadata: Record<string, string>,
  ): Promise<{written: Promise<boolean>}> {
    const shards = planShards(tensors, this.maxShardBytes);
    const stem = stemOf(step);
    const names = shards.map((_, i) =>
      shards.length === 1 ? stem : shardName(step, i + 1, shards.length),
    );
    const index = `${stem}${INDEX}`;
    const checksums: Record<string, string> = {};
    let written = Promise.resolve(true);
    let bytesInMemory = 0;
    if (this.storage.list().includes(index)) {
      this.storage.remove(index); // An earlier one must not meet later shards.
    }
    try {
      for (const [i, shard] of shards.entries()) {
        const bytes = bytesOfAll(shard);
        if (bytesInMemory + bytes > MAX_BYTES_IN_MEMORY) {
          await written;
          bytesInMemory = 0;
        }
        bytesInMemory += bytes;
        const {parts, checksum} = encodeSealedSafetensors({
          tensors: await readAll(shard),
          metadata: shards.length === 1 ? metadata : {},
        });
        checksums[names[i]] = checksum;
        written = after(written, () => this.put(names[i], parts));
      }
    } catch (error) {
      await written;
      this.removeParts(step);
      throw error;
    }
    if (shards.length > 1) {
      const contents = encodeIndex(shards, metadata, checksums);
      written = after(written, () => this.put(index, [contents]));
    }
    return {written: written.then((succeeded) => this.finish(step, succeeded))};
  }

  /**
   * Looks through a checkpoint.
   *
   * @throws If a part of it is missing or damaged.
   */
  open(step: number): CheckpointContents {
    const stem = stemOf(step);
    const name = `${stem}${INDEX}`;
    // Where there are both, the index came later: it is removed before one file is written.
    if (!this.storage.list().includes(name)) {
      const file = this.readShard(stem);
      return {path: this.pathOf(stem), metadata: file.metadata, shards: () => [file.tensors]};
    }
    const {checksums, metadata} = decodeIndex(this.read(name), this.pathOf(name));
    // All are looked through before one is used; the last of them need not be read again.
    let last: {name: string; tensors: Map<string, HostTensor>} | undefined;
    for (const [shard, checksum] of Object.entries(checksums)) {
      last = undefined;
      last = {name: shard, tensors: this.readShard(shard, checksum).tensors};
    }
    const tensorsOf = (shard: string) =>
      last?.name === shard ? last.tensors : this.readShard(shard).tensors;
    return {
      path: this.pathOf(name),
      metadata,
      *shards() {
        for (const shard of Object.keys(checksums)) {
          yield tensorsOf(shard);
        }
      },
    };
  }

  private readShard(name: string, checksum?: string) {
    const path = this.pathOf(name);
    const file = decodeSealedSafetensors(this.read(name), path);
    if (checksum != null && file.checksum !== checksum) {
      throw new Error(
        `${path}: must have the checksum ${checksum} that its index says, got ${file.checksum}`,
      );
    }
    return file;
  }

  private read(name: string): Uint8Array {
    const bytes = this.storage.read(name);
    if (bytes == null) {
      throw new Error(`${this.pathOf(name)}: must be there, got no such file`);
    }
    return bytes;
  }

  private pathOf(name: string): string {
    return `${this.storage.path}/${name}`;
  }

  private async put(name: string, contents: FileContents): Promise<boolean> {
    return this.storage.writeAside?.(name, contents) ?? this.storage.write(name, contents);
  }

  private finish(step: number, succeeded: boolean): boolean {
    if (!succeeded) {
      this.removeParts(step);
    }
    return succeeded;
  }

  /** Removes the shards of a checkpoint that is not to be. */
  private removeParts(step: number) {
    this.storage
      .list()
      .filter((name) => Number(STEM.exec(name)?.[1]) === step && !isComplete(name))
      .forEach((name) => this.storage.remove(name));
  }
}

function isComplete(name: string): boolean {
  return COMPLETE.test(name);
}

/** Does the next thing where the one before has succeeded. */
async function after(before: Promise<boolean>, next: () => Promise<boolean>): Promise<boolean> {
  return (await before) && next();
}

/** Names sort as numbers do. */
function stemOf(step: number): string {
  return `checkpoint-${String(step).padStart(8, '0')}.safetensors`;
}

function shardName(step: number, number: number, count: number): string {
  const [shard, of] = [number, count].map((n) => String(n).padStart(5, '0'));
  return stemOf(step).replace('.', `-${shard}-of-${of}.`);
}

/** Tensors one after the other, in as many files as they need. */
function planShards(tensors: readonly UnreadTensor[], maxBytes: number): UnreadTensor[][] {
  const shards: UnreadTensor[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    const more = bytesOf(tensor);
    if (shards.at(-1)!.length > 0 && bytes + more > maxBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(tensor);
    bytes += more;
  }
  return shards;
}

function bytesOf({shape}: UnreadTensor): number {
  return shape.reduce((product, length) => product * length, BYTES_AN_ELEMENT);
}

function bytesOfAll(tensors: readonly UnreadTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + bytesOf(tensor), 0);
}

async function readAll(tensors: readonly UnreadTensor[]): Promise<Map<string, HostTensor>> {
  const result = new Map<string, HostTensor>();
  for (const tensor of tensors) {
    result.set(tensor.name, await tensor.read());
  }
  return result;
}

function encodeIndex(
  shards: readonly UnreadTensor[][],
  metadata: Record<string, string>,
  checksums: Record<string, string>,
): Uint8Array {
  const names = Object.keys(checksums);
  const weightMap = shards.flatMap((shard, i) => shard.map(({name}) => [name, names[i]]));
  const contents = new TextEncoder().encode(
    JSON.stringify({
      metadata: {crc32: NO_CHECKSUM, total_size: bytesOfAll(shards.flat()), ...metadata},
      checksums,
      weight_map: Object.fromEntries(weightMap),
    }),
  );
  seal([contents], contents.subarray(INDEX_BEGIN.length));
  return contents;
}

function decodeIndex(bytes: Uint8Array, name: string): Index {
  checkSeal(bytes, INDEX_BEGIN.length, name);
  return JSON.parse(new TextDecoder().decode(bytes)) as Index;
}
