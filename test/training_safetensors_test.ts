import {decodeSafetensors, encodeSafetensors} from '../training/safetensors';

const tensors = new Map([
  ['a/kernel', {shape: [2, 3], values: Float32Array.of(1, -2.5, 3e38, 1e-40, -0, Infinity)}],
  ['empty', {shape: [0, 4], values: new Float32Array(0)}],
  ['iter', {shape: [], values: Int32Array.of(2147483647)}],
]);
const metadata = {config: '{"a":"ü"}'};
const bytes = () => Buffer.concat(encodeSafetensors({tensors, metadata}));

describe('safetensors', () => {
  it('come back as they were, in order', () => {
    const file = decodeSafetensors(bytes(), 'file');
    expect([...file.tensors]).toEqual([...tensors]);
    expect(file.metadata).toEqual(metadata);
  });

  it('have the layout of the format: the tensors aligned, at the offsets of the header', () => {
    const file = bytes();
    const begin = 8 + Number(file.readBigUInt64LE(0));
    expect(begin % 8).toBe(0);
    const header = JSON.parse(file.toString('utf8', 8, begin));
    expect(header['a/kernel']).toEqual({dtype: 'F32', shape: [2, 3], data_offsets: [0, 24]});
    expect(header.iter).toEqual({dtype: 'I32', shape: [], data_offsets: [24, 28]});
    expect(file.readFloatLE(begin + 4)).toBe(-2.5);
    expect(file.length).toBe(begin + 28);
  });

  it('write a view of a larger array as what it shows', () => {
    const values = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
    const file = encodeSafetensors({tensors: new Map([['x', {shape: [2], values}]]), metadata: {}});
    const read = decodeSafetensors(Buffer.concat(file), 'file').tensors.get('x');
    expect(read!.values).toEqual(Float32Array.of(2, 3));
  });

  it('refuse damaged files', () => {
    const read = (file: Uint8Array) => () => decodeSafetensors(file, 'file');
    expect(read(bytes().subarray(0, 5))).toThrow(
      'file: must be a safetensors file, got 5 bytes without a header',
    );
    expect(read(bytes().subarray(0, 40))).toThrow('40 bytes without a header');
    expect(read(bytes().subarray(0, bytes().length - 1))).toThrow('it is cut short');
    const notJson = bytes();
    notJson[8] = 0;
    expect(read(notJson)).toThrow('got a header that is not JSON');
    const text = (from: string, to: string) =>
      Buffer.from(bytes().toString('latin1').replace(from, to), 'latin1');
    expect(read(text('"shape":[2,3]', '"shbpe":[2,3]'))).toThrow(
      'file: a/kernel must have a shape and data_offsets in the header, got {"dtype":"F32","shbpe"',
    );
    expect(read(text('[0,24]', '[-1,2]'))).toThrow('file: a/kernel must have a shape and');
    expect(read(Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from('null')]))).toThrow(
      'file: must be a safetensors file, got a header that is not JSON',
    );
    expect(read(text('"F32"', '"F16"'))).toThrow('dtype of a/kernel must be F32 or I32, got F16');
    expect(read(text('[2,3]', '[2,4]'))).toThrow('a/kernel must have the bytes of shape [2,4]');
  });
});
