import {spawnSync} from 'node:child_process';
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough, Readable} from 'node:stream';
import {parseOptions} from '../exp/preprocess/options';
import {trainBytePairEncoding} from '../training/byte_pair_encoding';
import {IndexedDataset} from '../training/data/indexed_dataset';
import {IndexedDatasetWriter} from '../training/data/indexed_dataset_writer';
import {listInputs} from '../training/preprocess/input';
import {
  preprocess,
  type PreprocessOptions,
  readDescription,
} from '../training/preprocess/preprocess';
import {createInlineRunner} from '../training/preprocess/task_runner';
import {RunLock} from '../training/run_lock';
import {loadTokenizer, type TokenizerFiles} from '../training/tokenizer_files';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'preprocess-'));
});
afterEach(() => rmSync(folder, {recursive: true}));

const TEXTS = ['Call me Ishmael. Some years ago, never mind how long.', '', 'A naïve 鯨.'];

function write(name: string, contents: string | Uint8Array): string {
  writeFileSync(join(folder, name), contents);
  return join(folder, name);
}

function writeJsonl(texts: readonly string[] = TEXTS): string {
  return write('in.jsonl', texts.map((text) => `${JSON.stringify({text, id: 7})}\n`).join(''));
}

/** Parts of an input are of half a megabyte: this has four. */
function writeLongJsonl(): string {
  return writeJsonl(Array.from({length: 60}, (_, i) => `the ${i}th whale `.repeat(2500)));
}

type Options = Partial<Omit<PreprocessOptions, 'inputs'>>;

async function run(inputs: string[], options: Options = {}) {
  const all: PreprocessOptions = {
    tokenizer: {type: 'GPT2BPETokenizer'},
    jsonKeys: ['text'],
    splitSentences: false,
    appendEod: true,
    outputPrefix: join(folder, 'out'),
    ...options,
    inputs: listInputs(inputs),
  };
  return preprocess(all, await createInlineRunner(all));
}

/** The ids of a data set: documents of sequences. */
function readAll(name: string): number[][][] {
  const dataset = IndexedDataset.open(join(folder, name));
  const documents = Array.from({length: dataset.numDocuments}, (_, i) => {
    const {begin, end} = dataset.document(i);
    return Array.from({length: end - begin}, (_, j) => Array.from(dataset.get(begin + j), Number));
  });
  dataset.close();
  return documents;
}

async function encode(text: string): Promise<number[]> {
  return Array.from((await loadTokenizer({type: 'GPT2BPETokenizer'})).encode(text));
}

describe('preprocess', () => {
  it('makes a data set of JSONL, with the end of each document', async () => {
    const result = await run([writeJsonl()]);
    expect(result).toMatchObject({finished: true, documents: 3, prefixes: [expect.any(String)]});
    expect(readAll('out_text_document')).toEqual([
      [[...(await encode(TEXTS[0])), 50256]],
      [],
      [[...(await encode(TEXTS[2])), 50256]],
    ]);
    expect(readDescription(join(folder, 'out_text_document'))).toEqual({
      ...{tokenizerHash: 'GPT2BPETokenizer', vocabSize: 50257},
      ...{endOfDocument: 50256, appendEod: true},
    });
    expect(readdirSync(folder).sort()).toEqual([
      'in.jsonl',
      'out_text_document.bin',
      'out_text_document.idx',
      'out_text_document.json',
    ]);
  });

  it('makes sequences of sentences', async () => {
    await run([writeJsonl()], {splitSentences: true, appendEod: false});
    const sentences = ['Call me Ishmael. ', 'Some years ago, never mind how long.'];
    expect(readAll('out_text_sentence')[0]).toEqual(await Promise.all(sentences.map(encode)));
  });

  it('makes a data set of each key', async () => {
    const line = `${JSON.stringify({text: 'one', title: 'two'})}\n`;
    await run([write('a.json', line)], {jsonKeys: ['title', 'text'], appendEod: false});
    expect(readAll('out_title_document')).toEqual([[await encode('two')]]);
    expect(readAll('out_text_document')).toEqual([[await encode('one')]]);
  });

  it('takes folders of text, and lines of JSON among them', async () => {
    mkdirSync(join(folder, 'in/b'), {recursive: true});
    write('in/c.txt', 'third');
    write('in/b/x.txt', 'second');
    write('in/a.jsonl', '\n{"text": "first"}');
    write('in/.hidden', Buffer.from([0xff]));
    await run([join(folder, 'in')], {appendEod: false});
    const expected = await Promise.all(['first', 'second', 'third'].map(encode));
    expect(readAll('out_text_document')).toEqual(expected.map((ids) => [ids]));
  });

  it('takes files that are linked from a folder', async () => {
    mkdirSync(join(folder, 'in'));
    symlinkSync(write('elsewhere.jsonl', '{"text": "first"}'), join(folder, 'in/a.jsonl'));
    symlinkSync(join(folder, 'in'), join(folder, 'in/b'));
    write('in/c.txt', 'second');
    await run([join(folder, 'in')], {appendEod: false});
    const expected = await Promise.all(['first', 'second'].map(encode));
    expect(readAll('out_text_document')).toEqual(expected.map((ids) => [ids]));
  });

  it('takes the standard input', async () => {
    await run(['-'], {
      stdin: Readable.from([Buffer.from('{"text": "one"}\n{"te'), Buffer.from('xt": "two"}')]),
    });
    expect(readAll('out_text_document').length).toBe(2);
  });

  it('takes any tokenizer.json, and GPT-2 in its two files', async () => {
    const learned = trainBytePairEncoding(TEXTS, 280);
    const json = JSON.parse(JSON.stringify(learned));
    const model = write('tokenizer.json', JSON.stringify(json));
    const vocabFile = write(
      'vocab.json',
      JSON.stringify({...json.model.vocab, '<|endoftext|>': learned.endOfText}),
    );
    const merges = json.model.merges.map((pair: string[]) => pair.join(' ')).join('\n');
    const mergeFile = write('merges.txt', `#version: 0.2\n${merges}\n`);
    // Of another pre-tokenizer, so that Hugging Face's own code encodes.
    const added = [...json.added_tokens, {...json.added_tokens[0], id: 300, content: '<eos>'}];
    const other = write('other.json', JSON.stringify({...json, added_tokens: added}));
    const text = 'Some years ago, a 鯨.';
    for (const tokenizer of [
      await loadTokenizer({type: 'HuggingFaceTokenizer', model}),
      await loadTokenizer({type: 'GPT2BPETokenizer', vocabFile, mergeFile}),
      await loadTokenizer({type: 'HuggingFaceTokenizer', model: other}),
    ]) {
      expect(Array.from(tokenizer.encode(text))).toEqual([...learned.encode(text)]);
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      expect(tokenizer.endOfText).toBe(learned.endOfText);
    }
    const eos = await loadTokenizer({
      ...{type: 'HuggingFaceTokenizer', model: other, endOfDocument: '<eos>'},
    } as const);
    expect([eos.endOfText, eos.vocabSize]).toEqual([300, 301]);
  });

  it('goes on where it was interrupted, to the byte', async () => {
    const input = writeLongJsonl();
    await run([input], {outputPrefix: join(folder, 'whole')});
    const interrupt = new AbortController();
    const first = await run([input], {
      signal: interrupt.signal,
      onProgress: () => interrupt.abort(),
    });
    expect(first.finished).toBe(false);
    expect(first.documents).toBeGreaterThan(0);
    expect(first.documents).toBeLessThan(60);
    const others = {tokenizer: {type: 'GPT2BPETokenizer'}, appendEod: false} as const;
    await expect(run([input], others)).rejects.toThrow(
      `preprocess: interrupted work on '${folder}/out' must be of the same configuration, got ` +
        'appendEod is true there, false here; --fresh begins anew',
    );
    expect((await run([input])).finished).toBe(true);
    for (const file of ['bin', 'idx']) {
      expect(
        readFileSync(join(folder, `out_text_document.${file}`)).equals(
          readFileSync(join(folder, `whole_text_document.${file}`)),
        ),
      ).toBe(true);
    }
    expect(readdirSync(folder).filter((name) => /partial|preprocess/.test(name))).toEqual([]);
  });

  it('goes on where one of several data sets could not be written, to the byte', async () => {
    const line = (i: number) => `${JSON.stringify({a: `${i} `.repeat(9000), b: 'b'.repeat(i)})}\n`;
    const input = write('in.jsonl', Array.from({length: 60}, (_, i) => line(i)).join(''));
    const jsonKeys = ['a', 'b'];
    await run([input], {jsonKeys, outputPrefix: join(folder, 'whole')});
    const {addBlock} = IndexedDatasetWriter.prototype;
    const full = jest.spyOn(IndexedDatasetWriter.prototype, 'addBlock');
    full.mockImplementation(function (this: IndexedDatasetWriter, block) {
      if (full.mock.calls.length === 4) {
        throw new Error('the disk is full');
      }
      addBlock.call(this, block);
    });
    await expect(run([input], {jsonKeys})).rejects.toThrow('the disk is full');
    full.mockRestore();
    expect((await run([input], {jsonKeys})).finished).toBe(true);
    for (const key of jsonKeys) {
      expect(readAll(`out_${key}_document`)).toEqual(readAll(`whole_${key}_document`));
    }
  });

  it('says what is wrong where one of several data sets cannot get its name', async () => {
    const input = write('in.jsonl', '{"a": "one", "b": "two"}');
    const blocked = join(folder, 'out_b_document.idx.partial');
    mkdirSync(join(blocked, 'in the way'), {recursive: true});
    const jsonKeys = ['a', 'b'];
    await expect(run([input], {jsonKeys})).rejects.toThrow(`data: '${blocked}' cannot be written`);
    rmSync(blocked, {recursive: true});
    expect((await run([input], {jsonKeys})).finished).toBe(true);
    expect(readAll('out_a_document').length).toBe(1);
    expect(readAll('out_b_document').length).toBe(1);
  });

  (process.platform === 'linux' ? it : it.skip)(
    'closes its files where a data set is there already',
    async () => {
      const input = write('in.jsonl', '{"a": "one", "b": "two"}');
      await run([input], {jsonKeys: ['b']});
      await expect(run([input], {jsonKeys: ['a', 'b']})).rejects.toThrow('must be a new file');
      const descriptors = readdirSync('/proc/self/fd').map((name) => join('/proc/self/fd', name));
      const open = descriptors.filter((link) => existsSync(link)).map((link) => readlinkSync(link));
      expect(open.filter((path) => path.startsWith(folder))).toEqual([]);
    },
  );

  it('ends while it waits for input, and goes on from there', async () => {
    const lines = Array.from({length: 9}, (_, i) => `{"text": "${`${i} `.repeat(50_000)}"}\n`);
    const stop = new AbortController();
    const stdin = new PassThrough();
    lines.slice(0, 7).forEach((line) => stdin.write(line));
    const onProgress = () => void setTimeout(() => stop.abort(), 50); // The rest does not come.
    const first = await run(['-'], {stdin, signal: stop.signal, onProgress});
    expect(first.finished).toBe(false);
    expect(first.documents).toBeGreaterThan(0);
    const again = {stdin: Readable.from([Buffer.from(lines.join(''))])};
    expect((await run(['-'], again)).documents).toBe(9);
    const {length} = readAll('out_text_document');
    expect(length).toBe(9);
  });

  it('overwrites nothing, and begins anew where it is told to', async () => {
    const input = writeJsonl();
    await run([input]);
    await expect(run([input])).rejects.toThrow('must be a new file, got one that is there');
    await run([input, input], {outputPrefix: join(folder, 'other'), signal: AbortSignal.abort()});
    const anew = {outputPrefix: join(folder, 'other'), appendEod: false, fresh: true};
    expect((await run([input], anew)).finished).toBe(true);
    expect(readAll('other_text_document').length).toBe(3);
  });

  it('is done by one process at a time', async () => {
    const input = writeJsonl();
    const lock = RunLock.acquire(join(folder, 'out.preprocess'));
    await expect(run([input])).rejects.toThrow('must be used by one run at a time');
    lock.release();
    expect((await run([input])).finished).toBe(true);
  });

  it('is done also where another process takes the lock at its end', async () => {
    const input = writeJsonl();
    const work = join(folder, 'out.preprocess');
    const {rmdirSync} = fs;
    const remove = jest.spyOn(fs, 'rmdirSync').mockImplementationOnce((path) => {
      RunLock.acquire(work);
      rmdirSync(path);
    });
    expect((await run([input])).finished).toBe(true);
    remove.mockRestore();
    expect(readdirSync(work)).toEqual(['run.lock']);
  });

  it('goes on where it was interrupted between two names', async () => {
    const input = writeLongJsonl();
    const interrupt = new AbortController();
    await run([input], {signal: interrupt.signal, onProgress: () => interrupt.abort()});
    await run([input], {outputPrefix: join(folder, 'whole')});
    // The .bin has its name, but the .idx has not.
    const file = (name: string) => join(folder, `out_text_document.${name}`);
    renameSync(file('bin.partial'), file('bin'));
    expect((await run([input])).finished).toBe(true);
    expect(readAll('out_text_document')).toEqual(readAll('whole_text_document'));
  });

  it('goes on there also where the input is empty', async () => {
    const input = write('in.jsonl', '');
    const {renameSync: rename} = fs;
    const killed = jest.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
      if (String(to).endsWith('.idx')) {
        throw new Error('killed');
      }
      rename(from, to);
    });
    await expect(run([input])).rejects.toThrow('killed');
    killed.mockRestore();
    expect(existsSync(join(folder, 'out_text_document.bin'))).toBe(true);
    expect((await run([input])).finished).toBe(true);
    expect(readAll('out_text_document')).toEqual([]);
  });

  it.each<[string, string | Uint8Array, string]>([
    ['not JSON', '{"text": "a"}\n{"text"\n', 'line at byte 14: must be JSON, got'],
    ['without the field', '{"content": "a"}', "field 'text' must be a text, got undefined"],
    ['of another type', '{"text": 3}', "line at byte 0: field 'text' must be a text, got 3"],
    ['not UTF-8', Buffer.from('{"text": "é"}', 'latin1'), 'must be UTF-8 text, got bytes that'],
  ])('refuses lines that are %s', async (_, contents, message) => {
    const input = write('bad.jsonl', contents);
    await expect(run([input])).rejects.toThrow(message);
    await expect(run([input])).rejects.toThrow(`preprocess: '${input}'`);
  });

  it('refuses keys that do not suit the input', async () => {
    const jsonl = writeJsonl();
    await expect(run([jsonl], {jsonKeys: ['text', 'text']})).rejects.toThrow(
      'preprocess: --json-keys must differ, got text text',
    );
    const text = write('a.txt', 'a');
    await expect(run([jsonl, text], {jsonKeys: ['text', 'title']})).rejects.toThrow(
      `preprocess: --json-keys must be one key, since '${text}' is text without fields, got text title`,
    );
  });

  it('refuses inputs that are not there', () => {
    expect(() => listInputs([join(folder, 'none')])).toThrow(
      `preprocess: --input '${folder}/none' must exist, got none`,
    );
    expect(() => listInputs([folder])).toThrow('preprocess: --input must hold a file, got none');
  });

  (process.platform === 'win32' ? it.skip : it)('refuses lines of a named pipe', () => {
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe], {stdio: 'inherit'});
    expect(() => listInputs([pipe], 'jsonl')).toThrow(
      `preprocess: --input '${pipe}' must be a file, got a pipe or device; '-' takes one as standard input`,
    );
    expect(listInputs([pipe], 'text').length).toBe(1);
  });

  it.each<[string, string, string]>([
    ['no JSON', 'x', 'must hold a JSON object, got something else'],
    [
      'another JSON',
      '{"a": 1}',
      'must be a Hugging Face tokenizer.json, got one that cannot be used',
    ],
  ])('refuses a tokenizer that is %s', async (_, contents, message) => {
    const model = write('tokenizer.json', contents);
    const loaded = loadTokenizer({type: 'HuggingFaceTokenizer', model});
    await expect(loaded).rejects.toThrow(message);
  });

  it('refuses a tokenizer without the end of a document', async () => {
    const json = JSON.parse(JSON.stringify(trainBytePairEncoding(TEXTS, 280)));
    const [end] = json.added_tokens;
    for (const added of [[], [{...end, content: '<pad>'}]]) {
      const model = write('tokenizer.json', JSON.stringify({...json, added_tokens: added}));
      await expect(loadTokenizer({type: 'HuggingFaceTokenizer', model})).rejects.toThrow(
        `tokenizer: '${model}' must have a token that ends a document, <|endoftext|> or`,
      );
    }
  });

  it.each<[Partial<TokenizerFiles>, string]>([
    [{vocabFile: 'v.json'}, '--vocab-file and --merge-file must be given both or neither'],
    [{model: 't.json'}, '--tokenizer-model must come with --tokenizer-type HuggingFaceTokenizer'],
    [{endOfDocument: '</s>'}, "--eod-token of GPT-2 must be <|endoftext|>, got '</s>'"],
    [
      {type: 'HuggingFaceTokenizer', model: 't.json', mergeFile: 'm.txt'},
      "--merge-file must come with --tokenizer-type GPT2BPETokenizer, got 'm.txt' with another",
    ],
  ])('refuses the files of a tokenizer of another type: %j', async (files, message) => {
    await expect(loadTokenizer({type: 'GPT2BPETokenizer', ...files})).rejects.toThrow(message);
  });
});

describe('options of preprocess', () => {
  function parse(args: string) {
    const error = jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    try {
      return parseOptions(args.split(' ').filter(Boolean));
    } finally {
      error.mockRestore();
    }
  }

  it("are those of Megatron-LM's tool", () => {
    const args = '--input a b --output-prefix out --append-eod --json-keys text title --workers 3';
    expect(parse(`${args} --vocab-file v.json --merge-file m.txt`)).toMatchObject({
      ...{input: ['a', 'b'], outputPrefix: 'out', appendEod: true, jsonKeys: ['text', 'title']},
      ...{workers: 3, tokenizerType: 'GPT2BPETokenizer', vocabFile: 'v.json', mergeFile: 'm.txt'},
    });
  });

  it.each([
    ['--output-prefix out', '--input must name a file, got none'],
    ['--input a', '--output-prefix must be a path, got none'],
    ['--input a --output-prefix out --chunk 3', "unknown option '--chunk'"],
    [
      '--input a --output-prefix out --tokenizer-type HuggingFaceTokenizer',
      '--tokenizer-model must be a tokenizer.json, got none',
    ],
    [
      '--input a --output-prefix out --learn-vocab 300 --vocab-file v.json',
      '--learn-vocab makes a tokenizer: it must come without the files of another',
    ],
    [
      '--input a --output-prefix out --learn-vocab 300 --eod-token x',
      'it must come without --eod-token',
    ],
    ['--input - --output-prefix out --learn-vocab 300', "--input must not be '-'"],
    ['--input a --output-prefix out --learn-vocab 12', 'It must be an integer of at least 257.'],
  ])('refuse %s', (args, message) => {
    expect(() => parse(args)).toThrow(message);
  });
});
