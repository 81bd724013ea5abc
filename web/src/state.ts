import {computed, effect, type Signal, signal} from '@preact/signals';
import type {MetricsRecord} from '../../training/metrics_log';
import {
  BACKEND_LABELS,
  type BackendInUse,
  type BackendName,
  type BackendReport,
  chooseBackend,
} from './backend_report';
import type {Run} from './run';
import {BUILT_IN_TEXT} from './sample_text';
import {DEFAULT_SETTINGS, recallSettings, type Settings, settingsProblem} from './settings';

// What the page shows. Components read it, actions.ts changes it.

/** A run with what it has logged. */
export interface RunView {
  readonly id: string;
  readonly run: Signal<Run>;
  readonly records: Signal<readonly MetricsRecord[]>;
  /** Whether its curves are drawn. */
  readonly visible: Signal<boolean>;
}

/** The text that the next run is trained on. */
export interface ChosenText {
  source: TextSource;
  name: string;
  /** By which the storage has it, once a run is trained on it. */
  id: string;
  /** What was given; the built-in text is loaded by the worker. */
  text?: string;
  /** Why it cannot be trained on. */
  problem?: string;
  /** What is to happen before it can be trained on. */
  missing?: string;
}
export type TextSource = 'built-in' | 'paste' | 'file';

/** What there is of each source before anything is given. */
export const FIRST_TEXTS: Record<TextSource, ChosenText> = {
  'built-in': {source: 'built-in', name: BUILT_IN_TEXT.name, id: BUILT_IN_TEXT.id},
  paste: {source: 'paste', name: '', id: '', missing: 'Paste a text first.'},
  file: {source: 'file', name: '', id: '', missing: 'Choose a file first.'},
};

/** Something that the user should know. */
export interface Notice {
  id: number;
  kind: 'problem' | 'warning';
  text: string;
}

/** Undefined until the worker has looked; empty where it could not. */
export const backends = signal<readonly BackendReport[] | undefined>(undefined);
export type BackendChoice = 'auto' | BackendName;

const SETTINGS_KEY = 'tfjs-megablocks.settings';

interface Remembered {
  settings: Settings;
  backend: BackendChoice;
}

const remembered = recall();
export const settings = signal<Settings>(remembered.settings);
export const backendChoice = signal<BackendChoice>(remembered.backend);
export const text = signal(FIRST_TEXTS['built-in']);

export const runs = signal<readonly RunView[]>([]);
export const selectedId = signal<string | undefined>(undefined);
/** Of the run that trains, or is about to. */
export const trainingId = signal<string | undefined>(undefined);
export const notices = signal<readonly Notice[]>([]);

export const selected = computed(() => runs.value.find(({id}) => id === selectedId.value));

/** What the page computes on; undefined until the backends are known. */
export const backend = computed<BackendInUse | undefined>(() => {
  const reports = backends.value;
  if (reports == null) {
    return undefined;
  }
  const chosen = reports.find(({name}) => name === backendChoice.value);
  if (chosen == null || chosen.missing != null) {
    return chooseBackend(reports);
  }
  const where = chosen.device == null ? '' : ` on ${chosen.device}`;
  return {name: chosen.name, reason: `Chosen by you${where}.`};
});

/** What keeps a new run from being begun; undefined where nothing does. */
export const startProblem = computed(
  () => settingsProblem(settings.value) ?? text.value.problem ?? text.value.missing,
);

effect(() => {
  const chosen: Remembered = {settings: settings.value, backend: backendChoice.value};
  try {
    localStorage.setItem(SETTINGS_KEY, JSON.stringify(chosen));
  } catch {
    // The choices are then those of the page at the next visit, which is all.
  }
});

/** The choices of the last visit, as far as they still are choices. */
function recall(): Remembered {
  try {
    const stored = JSON.parse(localStorage.getItem(SETTINGS_KEY)!) as Partial<Remembered>;
    const isBackend = Object.keys(BACKEND_LABELS).includes(stored.backend!);
    return {
      settings: recallSettings(stored.settings ?? {}),
      backend: isBackend ? stored.backend! : 'auto',
    };
  } catch {
    return {settings: DEFAULT_SETTINGS, backend: 'auto'};
  }
}
