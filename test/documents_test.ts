import {existsSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import * as megablocks from '../src/index';

const root = dirname(__dirname);

function read(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

test.each(['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'])(
  'the links of %s lead somewhere',
  (name) => {
    const links = [...read(name).matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link);
    const files = links.filter((link) => !link.startsWith('https:'));
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  },
);

test('the README names every export', () => {
  const spans = [...read('README.md').matchAll(/`([^`\n]+)`/g)];
  const named = new Set(spans.flatMap(([, code]) => code.split(/\W+/)));
  const names = Object.keys({...megablocks, ...megablocks.layers});
  expect(names.filter((name) => !named.has(name))).toEqual([]);
});

test('CONTRIBUTING.md has a reason for every dependency', () => {
  const {devDependencies, peerDependencies} = JSON.parse(read('package.json'));
  const text = read('CONTRIBUTING.md');
  const names = Object.keys({...devDependencies, ...peerDependencies});
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
