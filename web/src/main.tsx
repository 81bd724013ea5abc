// First, since the charts read their colours from it.
import './styles.css';
import {render} from 'preact';
import {open} from './actions';
import {App} from './components/app';

render(<App />, document.body);
void open();

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  // Without it the page works as well, as long as there is a network.
  navigator.serviceWorker.register('service_worker.js').catch(() => undefined);
}
