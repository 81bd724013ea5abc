import {NUM_RUN_COLORS} from './charts/theme';
import type {Run} from './run';

/** Which of the style sheet's colours a run has, from 1 on. */
export function runColor({number}: Run): number {
  return ((number - 1) % NUM_RUN_COLORS) + 1;
}
