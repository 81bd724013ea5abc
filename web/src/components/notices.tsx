import {dismiss} from '../actions';
import {notices} from '../state';

/** What went wrong, until it is dismissed. */
export function Notices() {
  return (
    <div role="alert" class="notices">
      {notices.value.map((notice) => (
        <p key={notice.id} class={`notice ${notice.kind}`}>
          <span>{notice.text}</span>
          <button
            type="button"
            class="quiet"
            onClick={({currentTarget}) => {
              // The button goes with the notice.
              currentTarget.closest('main')!.focus();
              dismiss(notice);
            }}
          >
            Dismiss
          </button>
        </p>
      ))}
    </div>
  );
}
