import {useId, useState} from 'preact/hooks';
import {type NumberField as Field, numberProblem, NUMBERS} from '../settings';
import {settings} from '../state';

interface Props {
  field: Field;
  step?: string;
}

/** A number of the settings; what is wrong with it stands below. */
export function NumberField({field, step = 'any'}: Props) {
  const [typed, setTyped] = useState(String(settings.value[field]));
  const id = useId();
  const problemId = `${id}-problem`;
  const problem = numberProblem(field, parse(typed));
  const {label, min, max, integer} = NUMBERS[field];
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        type="number"
        inputMode={integer ? 'numeric' : 'decimal'}
        {...{id, min, max, step: integer ? 1 : step, value: typed}}
        aria-invalid={problem != null}
        aria-describedby={problem == null ? undefined : problemId}
        onInput={({currentTarget: {value}}) => {
          setTyped(value);
          settings.value = {...settings.value, [field]: parse(value)};
        }}
      />
      {problem != null && (
        <span id={problemId} class="problem">
          {problem}
        </span>
      )}
    </div>
  );
}

/** NaN where nothing is typed, or what is no number. */
function parse(typed: string): number {
  return typed.trim() === '' ? NaN : Number(typed);
}
