import { createSignal, Show } from 'solid-js';
import { useApp } from '../app.ts';

/** The shortest reason that the centre takes. */
const SHORTEST = 10;

/** The way past path and second person: folded, tinted, and it asks for a reason that others will read. */
export function BreakGlass(props: { busy: boolean; onBreak: (reason: string) => void }) {
  const app = useApp();
  const [reason, setReason] = createSignal('');
  const refusal = () => app.refusal('commands.breakGlass');
  return (
    <details class="break-glass">
      <summary>Break the glass …</summary>
      <p>
        The order goes out although its way is not attested or nobody else has approved it. It raises an alarm of the
        highest priority, and your name and reason stand in the log. The gateway takes it only if its own policy allows
        that.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          props.onBreak(reason().trim());
        }}
      >
        <label class="reason">
          <span class="sub">Reason</span>
          <textarea
            rows="2"
            required
            minLength={SHORTEST}
            maxLength={300}
            value={reason()}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        <button
          type="submit"
          class="danger"
          disabled={props.busy || reason().trim().length < SHORTEST || refusal() !== undefined}
          title={refusal()}
        >
          Prepare it as break-glass
        </button>
        <Show when={refusal()}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
      </form>
    </details>
  );
}
