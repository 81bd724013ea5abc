import {BUILT_IN_TEXT} from '../sample_text';
import {type ChosenText, FIRST_TEXTS, text, type TextSource} from '../state';
import {newId} from '../storage/database';
import {checkText, readTextFile} from '../text';
import {Choice} from './choice';

const SOURCES = [
  {value: 'built-in', label: BUILT_IN_TEXT.name},
  {value: 'paste', label: 'Paste'},
  {value: 'file', label: 'File'},
] as const;

/** The text to train on. */
export function TextFields() {
  const {source, problem, text: given} = text.value;
  return (
    <div class="fields">
      <Choice legend="Text" options={SOURCES} value={source} onChange={chooseSource} />
      {source === 'built-in' && (
        <p class="hint">Melville’s novel, 1.2 million characters. It comes with the page.</p>
      )}
      {source === 'paste' && (
        <label class="field">
          <span class="hidden">Text to train on</span>
          <textarea
            rows={6}
            dir="auto"
            placeholder="Paste some pages of any text"
            spellcheck={false}
            onInput={({currentTarget}) => takePasted(currentTarget.value)}
          />
        </label>
      )}
      {source === 'file' && (
        <label class="field">
          <span class="hidden">File of text to train on</span>
          <input
            type="file"
            accept="text/*,.txt,.md,.csv,.json,.html"
            onChange={({currentTarget}) => void takeFile(currentTarget.files?.[0])}
          />
        </label>
      )}
      {problem != null && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {given != null && <p class="hint">{given.length.toLocaleString('en')} characters.</p>}
    </div>
  );
}

function chooseSource(source: TextSource) {
  text.value = FIRST_TEXTS[source];
}

function takePasted(pasted: string) {
  text.value = {source: 'paste', name: 'Pasted text', id: newId(), ...checkText(pasted)};
}

async function takeFile(file: File | undefined) {
  if (file == null) {
    text.value = FIRST_TEXTS.file;
    return;
  }
  const chosen: ChosenText = {source: 'file', name: file.name, id: newId()};
  const reading = {...chosen, missing: 'The file is being read.'};
  text.value = reading;
  const result = await readTextFile(file);
  if (text.value === reading) {
    text.value = {...chosen, ...result};
  } // Else another text was chosen meanwhile.
}
