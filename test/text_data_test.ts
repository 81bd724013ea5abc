import {mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {countCharacters, splitDocuments, type TextDocument} from '../training/documents';
import {loadTextData} from '../training/text_data';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'text-data-'));
});
afterEach(() => rmSync(folder, {recursive: true}));

describe('the data sets from packages', () => {
  it('loads Moby Dick with its headings and without its table of contents', async () => {
    const documents = await loadTextData('moby-dick');
    expect(documents.length).toBe(138);
    expect(documents[2]).toEqual({
      name: 'CHAPTER 1. Loomings.',
      text: expect.stringMatching(/^CHAPTER 1\. Loomings\.\n\nCall me Ishmael\./),
    });
    expect(countCharacters(documents)).toBeGreaterThan(1_200_000);
  });

  it('loads the State of the Union addresses', async () => {
    const documents = await loadTextData('sotu');
    expect(documents.length).toBeGreaterThan(200);
    expect(documents[0].name).toBe('1790 George Washington');
    expect(countCharacters(documents)).toBeGreaterThan(10_000_000);
  });
});

describe('a folder of text', () => {
  it('reads every file, folder by folder, in the order of their names', async () => {
    mkdirSync(join(folder, 'b/deep'), {recursive: true});
    writeFileSync(join(folder, 'c.md'), 'third');
    writeFileSync(join(folder, 'b/deep/x.txt'), 'second, with an umlaut: ä');
    writeFileSync(join(folder, 'a.txt'), 'first');
    writeFileSync(join(folder, 'd'), '  \n');
    writeFileSync(join(folder, '.hidden'), Buffer.from([0]));
    symlinkSync(folder, join(folder, 'loop'));
    expect(await loadTextData(folder)).toEqual([
      {name: 'a.txt', text: 'first'},
      {name: join('b/deep/x.txt'), text: 'second, with an umlaut: ä'},
      {name: 'c.md', text: 'third'},
    ]);
  });

  it('refuses what is no folder', async () => {
    await expect(loadTextData(join(folder, 'none'))).rejects.toThrow(
      `data: must be 'moby-dick', 'sotu' or a folder of text files, got '${folder}/none', which does not exist`,
    );
    writeFileSync(join(folder, 'file'), 'x');
    await expect(loadTextData(join(folder, 'file'))).rejects.toThrow('which is not a folder');
  });

  it.each(['toString', '__proto__', 'constructor'])('takes %s for a folder', async (name) => {
    await expect(loadTextData(name)).rejects.toThrow(
      `data: must be 'moby-dick', 'sotu' or a folder of text files, got '${name}', which does not exist`,
    );
  });

  it('refuses an empty folder', async () => {
    await expect(loadTextData(folder)).rejects.toThrow(
      `data: folder '${folder}' must hold at least one text file, got none`,
    );
  });

  it('refuses binary files', async () => {
    writeFileSync(join(folder, 'model.bin'), Buffer.from([65, 66, 0, 67]));
    await expect(loadTextData(folder)).rejects.toThrow(
      `data: file '${folder}/model.bin' (.bin) must be UTF-8 text, got a NUL byte at offset 2`,
    );
  });

  it('refuses text that is too long for JavaScript', async () => {
    writeFileSync(join(folder, 'a.txt'), 'abc');
    const decode = jest.spyOn(TextDecoder.prototype, 'decode').mockImplementation(() => {
      throw Object.assign(new Error('Cannot create a string'), {code: 'ERR_STRING_TOO_LONG'});
    });
    const loaded = loadTextData(folder);
    decode.mockRestore();
    await expect(loaded).rejects.toThrow(
      `a.txt' (.txt) must be UTF-8 text, got 3 bytes, too many for one text`,
    );
  });

  it('refuses text that is not UTF-8', async () => {
    writeFileSync(join(folder, 'latin1.txt'), Buffer.from('Größe', 'latin1'));
    await expect(loadTextData(folder)).rejects.toThrow(
      `data: file '${folder}/latin1.txt' (.txt) must be UTF-8 text, got bytes that are not UTF-8`,
    );
  });
});

describe('the split', () => {
  const chapters = Array.from({length: 40}, (_, i) => ({
    name: `${i}`,
    text: `chapter ${i} `.repeat(9),
  }));

  it('holds out every tenth document, always the same', () => {
    const {train, validation} = splitDocuments(chapters);
    expect(validation.map(({name}) => name)).toEqual(['9', '19', '29', '39']);
    expect(train.length).toBe(36);
    expect(splitDocuments(chapters)).toEqual({train, validation});
  });

  it('cuts a long document at white space and loses nothing', () => {
    const novel = Array.from({length: 3000}, (_, i) => `word${i}`).join(' ');
    const {train, validation} = splitDocuments([{name: 'novel', text: novel}]);
    const parts = [...train, ...validation].sort((a, b) => partNumber(a) - partNumber(b));
    expect(parts.map(({text}) => text).join('')).toBe(novel);
    expect(parts.slice(0, -1).every(({text}) => text.endsWith(' '))).toBe(true);
    const share = countCharacters(validation) / novel.length;
    expect(share).toBeGreaterThan(0.08);
    expect(share).toBeLessThan(0.12);
  });

  it.each(['鯨', '𠮷'])('cuts a text without white space between characters: %s', (character) => {
    const text = character.repeat(1000);
    const {train, validation} = splitDocuments([{name: 'a', text}]);
    expect(train.map((part) => part.text).join('')).toBe(character.repeat(900));
    expect(validation.map((part) => part.text).join('')).toBe(character.repeat(100));
  });

  it('refuses text that it cannot cut', () => {
    expect(() => splitDocuments([{name: 'a', text: 'x'.repeat(9)}])).toThrow(
      'data: the text must have at least 10 parts, to hold one out for validation, ' +
        'got 9 of 9 characters together',
    );
  });

  function partNumber({name}: TextDocument): number {
    return Number(/part (\d+)/.exec(name)![1]);
  }
});
