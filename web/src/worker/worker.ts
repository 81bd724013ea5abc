import './animation_frames';
import {expose, proxy} from 'comlink';

/** Loads what trains, after the frames are as it needs them. */
async function createTrainer() {
  const {Trainer} = await import('./trainer');
  return proxy(new Trainer());
}
export type CreateTrainer = typeof createTrainer;

expose(createTrainer);
