import type {MetricsRecord} from '../../../training/metrics_log';

// What passes between the page and its worker.

/** What a run tells on its way. */
export interface TrainingEvents {
  /** The run begins after `step`; what was logged beyond it is no longer so. */
  onBegin: (step: number) => void;
  onRecords: (records: MetricsRecord[]) => void | Promise<void>;
  /** Something went wrong, and the run goes on. */
  onWarning: (message: string) => void;
}

/** How a run ended. */
export interface TrainingOutcome {
  /** Steps done. */
  step: number;
  /** Whether the browser's storage has that step. */
  saved: boolean;
}

/** Which experts the tokens of a text go to. */
export interface TokenChoices {
  /** The text of each token. */
  tokens: string[];
  /** A MoE layer each; none for a dense model. */
  layers: {
    /** [tokens][K], the likeliest first. */
    experts: number[][];
  }[];
}

export interface WritingOptions {
  maxNewTokens: number;
  temperature: number;
}
