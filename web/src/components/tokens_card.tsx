import {useSignal} from '@preact/signals';
import {Fragment} from 'preact';
import {useEffect} from 'preact/hooks';
import {chooseExperts, isAtHand, nameOf} from '../actions';
import {cadence} from '../settings';
import {backend, type RunView, selected, trainingId} from '../state';
import type {TokenChoices} from '../worker/trainer_api';
import {Choice} from './choice';

const SAMPLE =
  'The whale rose slowly from the sea, and the captain cried out to his men: “There she blows! ' +
  'Lower the boats!” In 1851 there were 700 ships at sea, but none was like the Pequod.';

/** Which expert each token of a text goes to, layer by layer. */
export function TokensCard() {
  const view = selected.value;
  return view == null || view.run.value.settings.model === 'dense' ? null : (
    <Tokens key={view.id} view={view} />
  );
}

function Tokens({view}: {view: RunView}) {
  const sample = useSignal(SAMPLE);
  const layer = useSignal(0);
  const choices = useSignal<TokenChoices | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const {step, settings} = view.run.value;
  const atHand = isAtHand(view) && backend.value != null;
  // Looked at as often as the run is validated, and whenever it stops.
  const look = Math.floor(step / cadence(settings).evalEvery);
  const training = trainingId.value === view.id;
  const isBlank = sample.value.trim() === '';

  useEffect(() => {
    if (!atHand || isBlank) {
      return undefined;
    }
    let stale = false;
    // Not with every key.
    const timer = setTimeout(async () => {
      const found = await chooseExperts(view, sample.value).catch((error: Error) => error);
      if (stale) {
        return;
      }
      if (found instanceof Error) {
        problem.value = found.message;
      } else {
        problem.value = undefined;
        choices.value = found;
      }
    }, 300);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [atHand, look, training, sample.value]);

  const layers = choices.value?.layers ?? [];
  return (
    <section class="card" aria-labelledby="tokens-title">
      <div class="card-head">
        <h2 id="tokens-title">Who reads what</h2>
        {layers.length > 1 && (
          <Choice
            legend="Layer"
            hideLegend
            options={layers.map((_, i) => ({value: String(i), label: `Layer ${i + 1}`}))}
            value={String(layer.value)}
            onChange={(value) => (layer.value = Number(value))}
          />
        )}
      </div>
      <p class="hint">
        Each token in the colour and with the number of the expert of {nameOf(view)} that counts
        most for it.
      </p>
      {isBlank ? (
        <p class="empty">There is no text to look at.</p>
      ) : problem.value != null ? (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      ) : choices.value == null ? (
        <p class="empty">
          {atHand ? 'Looking …' : 'This shows when the run has made a step, and no other trains.'}
        </p>
      ) : (
        <ColoredText choices={choices.value} layer={Math.min(layer.value, layers.length - 1)} />
      )}
      <details>
        <summary>Another text</summary>
        <label class="field">
          <span class="hidden">Text to look at</span>
          <textarea
            rows={4}
            dir="auto"
            value={sample.value}
            onInput={({currentTarget}) => (sample.value = currentTarget.value)}
          />
        </label>
      </details>
    </section>
  );
}

/** Neighbouring numbers get hues that are far apart. */
const GOLDEN_ANGLE = 137.508;

function ColoredText({choices: {tokens, layers}, layer}: {choices: TokenChoices; layer: number}) {
  const {experts} = layers[layer];
  return (
    <p class="tokens" dir="auto" data-layer={layer + 1}>
      {tokens.map((token, i) => {
        const [first, ...others] = experts[i];
        const also = others.length > 0 ? `, then ${others.map((e) => e + 1).join(', ')}` : '';
        // Lines break at a space, which would else have a piece of the colour on its own.
        const word = token.trimStart();
        return (
          <Fragment key={i}>
            {word !== '' && token.slice(0, -word.length)}
            <span
              class="token"
              title={`Expert ${first + 1}${also}`}
              style={{'--hue': String((first * GOLDEN_ANGLE + 30) % 360)}}
            >
              {word || token}
              <sub>{first + 1}</sub>
            </span>
          </Fragment>
        );
      })}
    </p>
  );
}
