import {Tokenizer as HuggingFaceTokenizer} from '@huggingface/tokenizers';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {BytePairEncoding, END_OF_TEXT, trainBytePairEncoding} from '../training/byte_pair_encoding';
import {MaxHeap} from '../training/max_heap';
import {loadTextData} from '../training/text_data';
import {random} from './random';

// What Hugging Face's trainer makes of the first three chapters of Moby Dick.
const golden = JSON.parse(
  readFileSync(join(__dirname, 'goldens/byte_pair_encoding.json'), 'utf8'),
) as {merges: string[]; text: string; ids: number[]};

async function firstChapters(): Promise<string[]> {
  const chapters = (await loadTextData('moby-dick')).filter(({name}) =>
    /^CHAPTER [123]\./.test(name),
  );
  // The golden was made without the headings.
  return chapters.map(({text}) => text.slice(text.indexOf('\n\n') + 2));
}

/** The merges as a tokenizer.json has them. */
function mergesOf(tokenizer: BytePairEncoding): string[] {
  const {model} = tokenizer.toJSON() as {model: {merges: string[][]}};
  return model.merges.map((pair) => pair.join(' '));
}

describe('byte-pair encoding', () => {
  let tokenizer: BytePairEncoding;
  beforeAll(async () => {
    tokenizer = trainBytePairEncoding(await firstChapters(), 512);
  });

  it('learns the merges that Hugging Face learns', () => {
    expect(tokenizer.vocabSize).toBe(512);
    expect(mergesOf(tokenizer)).toEqual(golden.merges);
  });

  it('gives the ids that Hugging Face gives, to Unicode white space too', () => {
    expect([...tokenizer.encode(golden.text)]).toEqual(golden.ids);
  });

  it('is read by Hugging Face from its tokenizer.json', async () => {
    const other = new HuggingFaceTokenizer(JSON.parse(JSON.stringify(tokenizer)), {});
    const [chapter] = await firstChapters();
    expect([...tokenizer.encode(chapter)]).toEqual(other.encode(chapter).ids);
    expect(other.encode(END_OF_TEXT).ids).toEqual([tokenizer.endOfText]);
  });

  it('merges the pair of the lower ids first where pairs are as frequent', () => {
    // 'x' < 'y' in ids; the three pairs occur twice.
    expect(mergesOf(trainBytePairEncoding(['yb yb xa xa'], 260))).toEqual(['x a', 'y b', 'Ġ xa']);
  });

  it('merges runs of one byte from the left', () => {
    const runs = trainBytePairEncoding(['aaaa aaaa aaaaa'], 258);
    expect(mergesOf(runs)).toEqual(['a a']);
    expect([...runs.encode('aaa')]).toEqual([256, runs.encode('a')[0]]);
  });

  it('stops where no pair occurs twice', () => {
    expect(trainBytePairEncoding(['ab', 'cd'], 4096).vocabSize).toBe(257);
    expect(trainBytePairEncoding([], 4096).vocabSize).toBe(257);
  });

  it.each([
    ['', 'nothing'],
    ['Call me Ishmael. Some years ago—never mind', 'prose'],
    ["I'll, you've; 'tis DON'T 3.14159", 'contractions and numbers'],
    ['  two\n\n\nlines \t\r\n ', 'white space'],
    ['鯨はどこ？ кит наш 🐋👩‍👩‍👧 é é', 'many scripts'],
    ['\ufeffa byte order mark \u0000 and a NUL', 'a byte order mark'],
    [END_OF_TEXT, 'the name of the special token'],
  ])('round trip of %j (%s)', (text) => {
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it('round trip of random characters', () => {
    const text = String.fromCodePoint(
      ...random(5000, 7).map((value) => {
        const point = Math.floor((value + 1) * 0x8800);
        return point >= 0xd800 && point < 0xe000 ? 0x1f40b : point;
      }),
    );
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  it('never gives the end of a text for text', () => {
    expect([...tokenizer.encode(`a${END_OF_TEXT}b`)]).not.toContain(tokenizer.endOfText);
    expect(tokenizer.decode([tokenizer.endOfText])).toBe(END_OF_TEXT);
  });

  it('shows half a character as U+FFFD', () => {
    expect(tokenizer.decode(tokenizer.encode('鯨').slice(0, 1))).toBe('\ufffd');
  });

  it('keeps the ids of so many words, and gives the same for all', () => {
    const {cache} = tokenizer as unknown as {cache: Map<string, number[]>};
    const words = tokenizer.encode(' the ship and the whale');
    const another = tokenizer.encode(' swam');
    for (let i = 0; cache.size < 2 ** 18; i++) {
      cache.set(`word ${i}`, []);
    }
    cache.delete(' swam');
    cache.set('the last word', []);
    expect([...tokenizer.encode(' the ship and the whale swam')]).toEqual([...words, ...another]);
    expect([...cache.keys()]).toEqual([' swam']);
    expect(tokenizer.encode(' the ship and the whale')).toEqual(words);
    expect(cache.size).toBe(5);
    const {size} = cache;
    expect(tokenizer.decode(tokenizer.encode('x'.repeat(1000)))).toBe('x'.repeat(1000));
    expect(cache.size).toBe(size);
  });

  it('comes back from its JSON', () => {
    const copy = BytePairEncoding.fromJSON(JSON.parse(JSON.stringify(tokenizer)));
    expect(copy.merges).toEqual(tokenizer.merges);
    expect(copy.vocabSize).toBe(tokenizer.vocabSize);
  });

  it('refuses bad input', () => {
    expect(() => trainBytePairEncoding(['a'], 256)).toThrow(
      'trainBytePairEncoding: vocabSize must be an integer of at least 257, got 256',
    );
    expect(() => tokenizer.decode([512])).toThrow(
      'decode: id must be an integer from 0 to 511, got 512',
    );
    const other = JSON.parse(JSON.stringify(tokenizer));
    other.model.vocab['!'] = 5;
    expect(() => BytePairEncoding.fromJSON(other)).toThrow(
      'tokenizer: its ids must be the bytes, the merges in order and the end of a text',
    );
  });
});

describe('the queue of pairs', () => {
  it('gives items in order', () => {
    const heap = new MaxHeap<number>((a, b) => a > b);
    const values = [...random(200, 3)];
    values.forEach((value) => heap.push(value));
    const popped = values.map(() => heap.pop());
    expect(popped).toEqual(values.sort((a, b) => b - a));
    expect(heap.pop()).toBeUndefined();
  });
});
