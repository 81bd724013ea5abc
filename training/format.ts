// Numbers as people read them.

/** Seconds as 1:02:03, 2:03 or 3 s. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) {
    return '-';
  }
  const rounded = Math.round(seconds);
  const parts = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60, rounded % 60];
  const used = parts.slice(parts[0] > 0 ? 0 : parts[1] > 0 ? 1 : 2);
  return used.length === 1
    ? `${used[0]} s`
    : used.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}

/** A count with three digits: 1.23 M. */
export function formatCount(count: number): string {
  const prefixes = ['', ' k', ' M', ' G', ' T', ' P'];
  const [digits, index] = inThousands(count, prefixes.length);
  return index === 0 ? String(count) : `${digits.toPrecision(3)}${prefixes[index]}`;
}

/** Bytes with three digits, in thousands: 1.23 GB. */
export function formatBytes(bytes: number): string {
  const prefixes = [' B', ' kB', ' MB', ' GB', ' TB'];
  const [digits, index] = inThousands(bytes, prefixes.length);
  return `${digits}${prefixes[index]}`;
}

/** A number by its three first digits, which may make it a power of 1000 more, and that power. */
function inThousands(value: number, numPrefixes: number): [digits: number, index: number] {
  const rounded = Number(value.toPrecision(3));
  const index = Math.min(Math.max(Math.floor(Math.log10(rounded) / 3), 0), numPrefixes - 1);
  return [Number((rounded / 1000 ** index).toPrecision(3)), index];
}

/** e to the loss, with four digits where it has so many. */
export function formatPerplexity(loss: number): string {
  const perplexity = Math.exp(loss);
  return perplexity < 1000
    ? perplexity.toPrecision(4)
    : Math.round(perplexity).toLocaleString('en');
}
