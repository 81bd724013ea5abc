import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {encodeDocuments} from '../training/encode_documents';
import {RunFolder} from '../training/run_folder';
import {gpt2Tokenizer, learnTokenizer} from '../training/tokenizer';

const documents = [
  {name: 'a', text: 'the whale and the ship'},
  {name: 'b', text: 'the sea'},
];

describe("GPT-2's tokenizer", () => {
  it('gives its ids and takes them back', async () => {
    const tokenizer = await gpt2Tokenizer();
    expect(Array.from(tokenizer.encode('Hello world'))).toEqual([15496, 995]);
    expect([tokenizer.vocabSize, tokenizer.endOfText]).toEqual([50257, 50256]);
    const text = 'naïve 鯨 <|endoftext|>';
    expect(Array.from(tokenizer.encode(text))).not.toContain(50256);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});

describe('a learned tokenizer', () => {
  let path: string;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'tokenizer-'));
  });
  afterEach(() => rmSync(path, {recursive: true}));

  it('is kept for the same text and size, and for no other', () => {
    const cache = new RunFolder(path);
    const learned = learnTokenizer(documents, 260, cache);
    expect(learnTokenizer(documents, 260, cache).merges).toEqual(learned.merges);
    expect(readdirSync(path).length).toBe(1);
    learnTokenizer(documents, 261, cache);
    learnTokenizer(documents.slice(0, 1), 260, cache);
    learnTokenizer([{name: '', text: documents[0].text + documents[1].text}], 260, cache);
    expect(readdirSync(path).length).toBe(4);
  });

  it('is learned anew where what was kept is damaged', () => {
    const cache = new RunFolder(path);
    const learned = learnTokenizer(documents, 260, cache);
    cache.write(readdirSync(path)[0], '{"model"');
    expect(learnTokenizer(documents, 260, cache).merges).toEqual(learned.merges);
  });

  it('ends every document', () => {
    const tokenizer = learnTokenizer(documents, 260, new RunFolder(path));
    const end = tokenizer.endOfText;
    expect(encodeDocuments(tokenizer, documents)).toEqual(
      documents.map(({text}) => Int32Array.of(...tokenizer.encode(text), end)),
    );
  });
});
