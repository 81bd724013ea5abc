import {BUILT_IN_TEXT} from '../sample_text';
import {text, type TextSource} from '../state';
import {checkText, readTextFile, type TextResult} from '../text';
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
            placeholder="Paste some pages of any text"
            spellcheck={false}
            onInput={({currentTarget}) => take('Pasted text', checkText(currentTarget.value))}
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
  const {name, id} = BUILT_IN_TEXT;
  text.value = source === 'built-in' ? {source, name, id} : {source, name: ''};
}

async function takeFile(file: File | undefined) {
  if (file != null) {
    take(file.name, await readTextFile(file));
  }
}

function take(name: string, result: TextResult) {
  text.value = {source: text.value.source, name, ...result};
}
