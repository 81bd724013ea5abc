import type {Settings} from './settings';

/** How a run stands; it waits until no other tab has it. */
export type RunState = 'waiting' | 'training' | 'paused' | 'finished' | 'failed';

/** A run as the browser keeps it; its files lie beside it. */
export interface Run {
  id: string;
  /** Counted from 1, in the order in which runs were begun. */
  number: number;
  settings: Settings;
  /** Of the text that it is trained on. */
  textId: string;
  textName: string;
  state: RunState;
  /** Steps done. */
  step: number;
  /** What it ran on last. */
  backend?: string;
  /** Why it failed. */
  problem?: string;
}

/** What a run keeps beside its checkpoints and metrics. */
export const TOKENIZER_FILE = 'tokenizer.json';
