import {NumberField} from './number_field';

/** How long and how fast to train. */
export function TrainingFields() {
  return (
    <fieldset class="fields">
      <legend>Training</legend>
      <div class="row">
        <NumberField field="steps" />
        <NumberField field="learningRate" />
        <NumberField field="seed" />
      </div>
    </fieldset>
  );
}
