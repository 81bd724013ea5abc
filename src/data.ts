// What `tfjs-megablocks/data` exports: Megatron-LM's indexed data sets and the samples that it draws of them, as
// data sets of tf.data. For Node.js: it reads files. Needs `@tensorflow/tfjs-data`, which
// `@tensorflow/tfjs` has.

export type {BatchLoader} from '../training/data/batch_loader';
export {
  evaluationData,
  sampleData,
  type SampleBatch,
  type SampleBatchesConfig,
} from '../training/data/batch_queue';
export {type BatchSource, batchesOf} from '../training/data/batch_source';
export {BlendedSamples} from '../training/data/blended_samples';
export {type Blend, parseDataPath} from '../training/data/data_path';
export {TOKEN_DTYPES, type TokenArray, type TokenDtype} from '../training/data/dtypes';
export {GptDataset, type GptDatasetConfig} from '../training/data/gpt_dataset';
export type {GptIndex} from '../training/data/gpt_index';
export {GptLoader, type GptLoaderConfig} from '../training/data/gpt_loader';
export {gptSplits, type GptSplitsConfig} from '../training/data/gpt_splits';
export {IndexedDataset} from '../training/data/indexed_dataset';
export {
  type DocumentBlock,
  IndexedDatasetWriter,
  type WriterState,
} from '../training/data/indexed_dataset_writer';
export {LoaderThread, serveBatches} from '../training/data/loader_thread';
export {SampleBatches} from '../training/data/sample_batches';
export type {Samples} from '../training/data/samples';
export type {SequenceSource} from '../training/data/sequence_source';
export {type Split, splitRanges, SPLITS} from '../training/data/splits';
export {TokenSequences} from '../training/data/token_sequences';
