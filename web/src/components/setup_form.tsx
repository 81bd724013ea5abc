import {begin} from '../actions';
import {backend, startProblem, trainingId} from '../state';
import {BackendFields} from './backend_fields';
import {ModelFields} from './model_fields';
import {TextFields} from './text_fields';
import {TrainingFields} from './training_fields';

/** What a new run is to be. */
export function SetupForm() {
  const training = trainingId.value != null;
  const problem = startProblem.value;
  const ready = backend.value != null && problem == null && !training;
  return (
    <form
      class="card"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void begin();
      }}
    >
      <h2>New run</h2>
      <TextFields />
      <ModelFields />
      <TrainingFields />
      <BackendFields />
      <div class="submit">
        <button type="submit" class="primary" disabled={!ready} aria-describedby="submit-hint">
          Train
        </button>
        <p id="submit-hint" class="hint">
          {training ? 'Another run is training. Pause it first.' : problem}
        </p>
      </div>
    </form>
  );
}
