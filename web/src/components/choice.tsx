import {useId} from 'preact/hooks';

interface Option<T extends string> {
  value: T;
  label: string;
  /** Why it cannot be chosen. */
  missing?: string;
}

interface Props<T extends string> {
  legend: string;
  /** Whether the legend is only for those who do not see the group. */
  hideLegend?: boolean;
  options: readonly Option<T>[];
  value: T;
  onChange: (value: T) => void;
}

/** One of a few, side by side; radio buttons, so that arrow keys move between them. */
export function Choice<T extends string>({legend, hideLegend, options, value, onChange}: Props<T>) {
  const name = useId();
  return (
    <fieldset class="choice">
      <legend class={hideLegend ? 'hidden' : undefined}>{legend}</legend>
      <div class="segments">
        {options.map((option) => (
          <label key={option.value} title={option.missing}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              disabled={option.missing != null}
              onChange={() => onChange(option.value)}
            />
            <span>{option.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
