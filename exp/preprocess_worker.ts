import {serveTasks} from '../training/preprocess/worker';

// The thread of exp/preprocess.ts: a bundle of its own, since a thread begins with a file.
void serveTasks();
