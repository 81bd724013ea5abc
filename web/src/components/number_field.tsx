import {useState} from 'preact/hooks';
import {type NumberField as Field, numberProblem, NUMBERS} from '../settings';
import {settings} from '../state';

interface Props {
  field: Field;
  step?: string;
}

/** A number of the settings; what is wrong with it stands below. */
export function NumberField({field, step = 'any'}: Props) {
  const [typed, setTyped] = useState(String(settings.value[field]));
  const value = typed.trim() === '' ? NaN : Number(typed);
  const problem = numberProblem(field, value);
  const {label, min, max, integer} = NUMBERS[field];
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="number"
        inputMode={integer ? 'numeric' : 'decimal'}
        {...{min, max, step: integer ? 1 : step, value: typed}}
        aria-invalid={problem != null}
        onInput={({currentTarget}) => {
          setTyped(currentTarget.value);
          const {value} = currentTarget;
          settings.value = {...settings.value, [field]: value.trim() === '' ? NaN : Number(value)};
        }}
      />
      {problem != null && <span class="problem">{problem}</span>}
    </label>
  );
}
