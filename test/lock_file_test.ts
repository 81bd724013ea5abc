import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';

interface LockFile {
  packages: Record<string, {optionalDependencies?: Record<string, string>}>;
}

// `npm ci` refuses a lock file without them, and npm leaves them out where it cannot find them.
test('the lock file has the optional packages of every platform', () => {
  const text = readFileSync(join(dirname(__dirname), 'package-lock.json'), 'utf8');
  const {packages} = JSON.parse(text) as LockFile;
  const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').pop()));
  const optional = Object.values(packages).flatMap(({optionalDependencies = {}}) =>
    Object.keys(optionalDependencies),
  );
  expect(optional.filter((name) => !locked.has(name))).toEqual([]);
});
