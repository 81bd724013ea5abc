import {serveBatches} from '../training/data/loader_thread';

// The thread of exp/pretrain.ts that reads samples: a bundle of its own, since a thread begins with a file.
void serveBatches();
