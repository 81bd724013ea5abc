import {useSignal} from '@preact/signals';
import {useEffect} from 'preact/hooks';
import {formatCount} from '../../../training/format';
import {flopsPerStep, type Settings, settingsProblem, tokensPerStep} from '../settings';
import {askTrainer} from '../trainer_client';

/** What a model weighs and costs. */
export function Cost({settings}: {settings: Settings}) {
  const parameters = useSignal<{total: number; active: number} | undefined>(undefined);
  const {model, size, experts, topK} = settings;
  const problem = settingsProblem(settings);

  useEffect(() => {
    if (problem != null) {
      return undefined;
    }
    let stale = false;
    // The worker says it, which has the model; one that does not start is reported elsewhere.
    askTrainer((trainer) => trainer.countParameters(settings)).then(
      (counted) => {
        if (!stale) {
          parameters.value = counted;
        }
      },
      () => undefined,
    );
    return () => {
      stale = true;
    };
  }, [model, size, experts, topK, problem]);

  const flops = flopsPerStep(settings) / tokensPerStep(settings);
  return (
    <dl class="cost">
      <Entry name="Parameters" value={parameters.value?.total} />
      <Entry name="Active per token" value={parameters.value?.active} />
      <Entry name="FLOP per token" value={flops} />
    </dl>
  );
}

function Entry({name, value}: {name: string; value: number | undefined}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value == null ? '…' : formatCount(value)}</dd>
    </div>
  );
}
