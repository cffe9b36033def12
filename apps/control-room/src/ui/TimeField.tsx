import { TIME_PATTERN, typedTime, zone } from '../format/time.ts';

/**
 * A time to be typed as the control room writes them, `2026-11-27 04:53:10`; a browser's own field for it speaks the
 * language of the browser, twelve hours and all.
 */
export function TimeField(props: { name: string; label: string; value: string }) {
  return (
    <input
      class="time-field"
      name={props.name}
      required
      pattern={TIME_PATTERN}
      autocomplete="off"
      spellcheck={false}
      aria-label={props.label}
      title={`year-month-day hour:minute, ${zone(new Date())}`}
      value={props.value}
      onInput={({ currentTarget }) => {
        const valid = currentTarget.validity.patternMismatch || typedTime(currentTarget.value) !== undefined;
        currentTarget.setCustomValidity(valid ? '' : 'There is no such time.');
      }}
    />
  );
}
