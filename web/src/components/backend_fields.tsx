import {BACKEND_LABELS} from '../backend_report';
import {backend, type BackendChoice, backendChoice, backends, trainingId} from '../state';

/** What to compute on, and why that. */
export function BackendFields() {
  const reports = backends.value;
  const slow = reports?.find(({name}) => name === backend.value?.name)?.software;
  return (
    <div class="fields">
      <label class="field titled">
        <span>Computed on</span>
        <select
          disabled={reports == null}
          onChange={({currentTarget}) =>
            (backendChoice.value = currentTarget.value as BackendChoice)
          }
        >
          <option value="auto">The fastest that is here</option>
          {reports?.map(({name, missing}) => (
            <option
              key={name}
              value={name}
              disabled={missing != null}
              // One that is missing now is kept for when it is there again.
              selected={missing == null && name === backendChoice.value}
            >
              {BACKEND_LABELS[name]}
              {missing && ` (${missing})`}
            </option>
          ))}
        </select>
      </label>
      <p class="hint" role="status">
        {reports == null ? 'Looking for a GPU …' : backend.value?.reason}
        {slow && ' It is software: WebAssembly is faster.'}
        {trainingId.value != null && ' A run in training stays where it is.'}
      </p>
    </div>
  );
}
