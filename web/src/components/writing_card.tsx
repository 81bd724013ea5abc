import {useSignal} from '@preact/signals';
import {isAtHand, isWriting, nameOf, write, writing} from '../actions';
import {BUILT_IN_TEXT} from '../sample_text';
import {backend, selected} from '../state';

/** A model that knows little yet likes empty lines. */
const MANY_LINES = /\n\s*\n/g;
const LENGTHS = [50, 100, 200, 400];

/** What the model writes after a prompt. */
export function WritingCard() {
  const prompt = useSignal(BUILT_IN_TEXT.prompt);
  const temperature = useSignal(0.8);
  const maxNewTokens = useSignal(100);
  const view = selected.value;
  if (view == null) {
    return null;
  }
  const atHand = isAtHand(view) && backend.value != null;
  const written = writing.value?.runId === view.id ? writing.value : undefined;
  return (
    <section class="card" aria-labelledby="writing-title">
      <h2 id="writing-title">Let it write</h2>
      <form
        class="row writing"
        onSubmit={(event) => {
          event.preventDefault();
          const options = {temperature: temperature.value, maxNewTokens: maxNewTokens.value};
          void write(view, prompt.value, options);
        }}
      >
        <label class="field wide">
          <span>Prompt</span>
          <input
            type="text"
            dir="auto"
            value={prompt.value}
            onInput={({currentTarget}) => (prompt.value = currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Tokens</span>
          <select
            onChange={({currentTarget}) => (maxNewTokens.value = Number(currentTarget.value))}
          >
            {LENGTHS.map((length) => (
              <option key={length} value={length} selected={length === maxNewTokens.value}>
                {length}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Temperature {temperature.value.toFixed(1)}</span>
          <input
            type="range"
            min="0"
            max="1.5"
            step="0.1"
            value={temperature.value}
            onInput={({currentTarget}) => (temperature.value = Number(currentTarget.value))}
          />
        </label>
        <button type="submit" disabled={!atHand || isWriting.value}>
          Write
        </button>
      </form>
      {written == null ? (
        <p class="empty">
          {atHand
            ? `${nameOf(view)} goes on from the prompt.`
            : 'This works when the run has made a step, and no other trains.'}
        </p>
      ) : (
        <blockquote class="written" dir="auto" aria-live="polite" aria-busy={isWriting.value}>
          <b>{written.prompt}</b>
          {written.text.replace(MANY_LINES, '\n\n')}
        </blockquote>
      )}
    </section>
  );
}
