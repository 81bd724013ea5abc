/** Whether an error of Node.js is one of these, such as 'ENOENT'. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
