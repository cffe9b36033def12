import { createSignal, onMount } from 'solid-js';
import { type NodeTrustJson, trustApi } from '../../api/trust.ts';
import { useApp } from '../../app.ts';
import { Problem } from '../../ui/parts.tsx';
import { TRUST_RIGHT } from './places.ts';

const TEXTS = {
  quarantine: {
    title: (node: string) => `Quarantine ${node}`,
    meaning:
      'Its values are marked as distrusted and commands through it stop at once. Protection and local control on site go on. Letting it in again takes a fresh good result and two persons.',
    action: 'Quarantine it',
  },
  release: {
    title: (node: string) => `Ask for the release of ${node}`,
    meaning:
      'It is let in again when its evidence is fresh and good, and when another person has approved. Say what was found and what was done.',
    action: 'Ask for release',
  },
} as const;

/** A deed that is asked for its reason; the reason is logged and other persons read it. */
export function ReasonDialog(props: { node: NodeTrustJson; what: keyof typeof TEXTS; onClose: () => void }) {
  const app = useApp();
  let dialog!: HTMLDialogElement;
  const [reason, setReason] = createSignal('');
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  onMount(() => dialog.showModal());
  const texts = () => TEXTS[props.what];
  async function send(): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await trustApi[props.what](props.node.node, reason().trim());
      await app.loadTrust();
      props.onClose();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  }
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="reason-title"
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <h2 id="reason-title">{texts().title(props.node.node)}</h2>
        <p>{texts().meaning}</p>
        <label class="reason">
          <span class="sub">Reason</span>
          <textarea
            rows="3"
            required
            maxLength={500}
            value={reason()}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        <Problem text={problem()} />
        <div class="btns end">
          <button type="button" onClick={() => props.onClose()}>
            Cancel
          </button>
          <button
            type="submit"
            class="main strong"
            disabled={busy() || reason().trim() === '' || app.refusal(TRUST_RIGHT) !== undefined}
          >
            {texts().action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
