import {
  EXPERT_CHOICES,
  MODEL_KINDS,
  MODELS,
  type Settings,
  type SizeName,
  SIZES,
  TOP_K_CHOICES,
} from '../settings';
import {settings} from '../state';
import {Choice} from './choice';
import {Cost} from './cost';
import {NumberField} from './number_field';

const KINDS = MODEL_KINDS.map((value) => ({value, label: MODELS[value].label}));
const SIZE_NAMES = Object.keys(SIZES) as SizeName[];

/** The model to train. */
export function ModelFields() {
  const {model, size, experts, topK} = settings.value;
  return (
    <div class="fields">
      <Choice legend="Model" options={KINDS} value={model} onChange={(model) => set({model})} />
      <p class="hint">{MODELS[model].description}</p>
      <Choice
        legend="Size"
        options={SIZE_NAMES.map((value) => ({value, label: SIZES[value].label}))}
        value={size}
        onChange={(size) => set({size})}
      />
      <p class="hint">{SIZES[size].description}.</p>
      <div class="row">
        {model !== 'dense' && (
          <Select
            label="Experts"
            choices={EXPERT_CHOICES}
            value={experts}
            onChange={(experts) => set({experts})}
          />
        )}
        <Select
          label={model === 'dense' ? 'As wide as experts' : 'Experts per token'}
          choices={TOP_K_CHOICES}
          value={topK}
          onChange={(topK) => set({topK})}
        />
        {model === 'moe' && <NumberField field="capacityFactor" step="0.05" />}
      </div>
      <Cost settings={settings.value} />
    </div>
  );
}

interface SelectProps {
  label: string;
  choices: readonly number[];
  value: number;
  onChange: (value: number) => void;
}

function Select({label, choices, value, onChange}: SelectProps) {
  return (
    <label class="field">
      <span>{label}</span>
      <select onChange={({currentTarget}) => onChange(Number(currentTarget.value))}>
        {choices.map((choice) => (
          <option key={choice} value={choice} selected={choice === value}>
            {choice}
          </option>
        ))}
      </select>
    </label>
  );
}

function set(changes: Partial<Settings>) {
  settings.value = {...settings.value, ...changes};
}
