/**
 * What stops a bar on a terminal. It is called where the program exits, too, unless it was before: the terminal is
 * not left without its cursor.
 */
export function stopAtExit(stop: () => void): () => void {
  const stopNow = () => {
    process.off('exit', stopNow);
    stop();
  };
  process.on('exit', stopNow);
  return stopNow;
}
