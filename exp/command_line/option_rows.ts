import {InvalidArgumentError, Option} from 'commander';

/** How an option reads its value; the help says the default. */
export interface Reading {
  parse?: (text: string) => unknown;
  choices?: readonly string[];
  default?: unknown;
  /** What the help says the default is. */
  defaultText?: string;
}

/** One option. */
export type Row = [flags: string, description: string, reading?: Reading];

/** Reads a whole number. */
export function count(min: number): Reading {
  return {
    parse: (text) => {
      const value = Number(text);
      if (text.trim() === '' || !Number.isSafeInteger(value) || value < min) {
        throw new InvalidArgumentError(`It must be an integer of at least ${min}.`);
      }
      return value;
    },
  };
}

/** Reads a number. */
export function number(min: number, max = Infinity): Reading {
  const range = max < Infinity ? `from ${min} to ${max}` : `of at least ${min}`;
  return {
    parse: (text) => {
      const value = Number(text);
      if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
        throw new InvalidArgumentError(`It must be a number ${range}.`);
      }
      return value;
    },
  };
}

/** Makes an option of a row. */
export function createOption([flags, description, reading = {}]: Row): Option {
  const option = new Option(flags, description);
  option.default(reading.default, reading.defaultText);
  if (reading.choices != null) {
    option.choices(reading.choices);
  }
  if (reading.parse != null) {
    option.argParser(reading.parse);
  }
  return option;
}
