// What `expect` uses of jest-util and jest-message-util, which are made for Node.js.

export function isPromise(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

export function pluralize(word: string, count: number): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

export class ErrorWithStack extends Error {}

export function formatExecError(error: unknown): string {
  return String(error);
}

export function separateMessageFromStack(stack: string) {
  return {message: '', stack};
}

export function formatStackTrace(stack: string): string {
  return stack;
}
