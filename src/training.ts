// What `tfjs-megablocks/training` exports: training that is logged, saved, and goes on where it was. For
// Node.js: it writes files. The optimizers need none, and are in the package's own entry.
import './register';

export {randomWindows, validationBatches} from '../training/batches';
export {
  CheckpointCallback,
  type CheckpointCallbackConfig,
} from '../training/callbacks/checkpoint_callback';
export {MetricsCallback, type MetricsCallbackConfig} from '../training/callbacks/metrics_callback';
export {
  Checkpoints,
  type CheckpointsConfig,
  type RunConfig,
  type TrainingState,
} from '../training/checkpoint';
export {ExpertLoad, type ExpertLoadConfig, type RoutingSummary} from '../training/expert_load';
export {Interrupts} from '../training/interrupts';
export {compileLanguageModel, evaluateLanguageModel} from '../training/language_model_loss';
export {MetricsLog, type MetricsRecord, type MetricsSink} from '../training/metrics_log';
export type {Progress, StepReport} from '../training/progress';
export {RunFolder} from '../training/run_folder';
export {RunLock} from '../training/run_lock';
export type {RunStorage} from '../training/run_storage';
export {StopRequest} from '../training/stop_request';
export {TensorBoardLog} from '../training/tensorboard/tensorboard_log';
export {
  trainLanguageModel,
  type TrainingOptions,
  type TrainingResult,
} from '../training/train_language_model';
export type {Batch, BatchDataset, BatchIterator, TrainingData} from '../training/training_data';
