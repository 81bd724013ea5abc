import {runs} from '../state';
import {Introduction} from './introduction';
import {LoadCard} from './load_card';
import {LossCard} from './loss_card';
import {Masthead} from './masthead';
import {Notices} from './notices';
import {RunCard} from './run_card';
import {RunsCard} from './runs_card';
import {SetupForm} from './setup_form';
import {TokensCard} from './tokens_card';
import {WritingCard} from './writing_card';

/** The whole page. */
export function App() {
  return (
    <>
      <Masthead />
      <div class="layout">
        <aside class="setup" aria-label="A new run">
          <SetupForm />
        </aside>
        <main class="results" tabIndex={-1}>
          <Notices />
          {runs.value.length === 0 ? <Introduction /> : <Results />}
        </main>
      </div>
      <footer class="footer">
        Everything is computed in this page. What you paste or open is sent nowhere.
      </footer>
    </>
  );
}

function Results() {
  return (
    <>
      <RunCard />
      <LossCard />
      <RunsCard />
      <LoadCard />
      <TokensCard />
      <WritingCard />
    </>
  );
}
