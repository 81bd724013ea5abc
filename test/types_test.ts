import {spawnSync} from 'node:child_process';
import {dirname, join} from 'node:path';

const root = dirname(__dirname);

// The second leaves out what only tests and scripts may use: Node.js and chained methods.
test.each(['tsconfig.json', 'tsconfig.library.json'])('%s type-checks', (config) => {
  const {status, stdout} = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '--noEmit', '--project', config],
    {cwd: root, encoding: 'utf8'},
  );
  expect({status, stdout}).toEqual({status: 0, stdout: ''});
});
