import './animation_frames';
import {expose, proxy} from 'comlink';

/**
 * Loads what trains, after the frames are as it needs them.
 *
 * @param onLost Hears when the GPU is lost; this worker is then worth nothing.
 */
async function createTrainer(onLost: (message: string) => void) {
  const {Trainer} = await import('./trainer');
  return proxy(new Trainer(onLost));
}
export type CreateTrainer = typeof createTrainer;

expose(createTrainer);
