// tfjs-node 4.22 calls two functions of node:util that Node.js 23 removed.
const util = require('node:util');

util.isNullOrUndefined ??= (value) => value == null;
util.isArray ??= Array.isArray;
