import { createMemo, createSignal, For, onMount, Show } from 'solid-js';
import { api } from '../api/client.ts';
import { operatorsApi } from '../api/operators.ts';
import type { CommandJson } from '../api/types.ts';
import { useApp } from '../app.ts';
import { shown } from '../format/number.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';
import { Problem } from '../ui/parts.tsx';
import { signWith } from './authenticator.ts';
import { Checks } from './Checks.tsx';
import { choicesOf } from './order-words.ts';
import { timeLeft, waitingFor } from './waiting.ts';

/** Says in the top bar that somebody's order waits for a second person; opens it. */
export function ApprovalChip() {
  const app = useApp();
  const [open, setOpen] = createSignal(false);
  const waiting = createMemo(() => waitingFor(app.commands().values(), app.session()?.user, app.now()));
  return (
    <>
      <Show when={waiting().length && app.session()?.rights.includes('commands.operate')}>
        <button type="button" class="chip on asks" aria-live="polite" onClick={() => setOpen(true)}>
          <CheckGlyph state="warn" /> {waiting().length === 1 ? '1 order waits' : `${waiting().length} orders wait`} for
          a second person
        </button>
      </Show>
      <Show when={open()}>
        <ApprovalDialog waiting={waiting()} onClose={() => setOpen(false)} />
      </Show>
    </>
  );
}

function ApprovalDialog(props: { waiting: readonly CommandJson[]; onClose: () => void }) {
  let dialog!: HTMLDialogElement;
  onMount(() => dialog.showModal());
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby="approval-title"
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <h2 id="approval-title">Orders that wait for a second person</h2>
      <Show when={props.waiting.length === 0}>
        <p class="sub">None waits any more.</p>
      </Show>
      <For each={props.waiting.map(({ id }) => id)}>
        {(id) => (
          <Show when={props.waiting.find((each) => each.id === id)}>
            {(command) => <Request command={command()} />}
          </Show>
        )}
      </For>
      <div class="btns end">
        <button type="button" onClick={() => props.onClose()}>
          Close
        </button>
      </div>
    </dialog>
  );
}

/** What is to be done, in whose name, and how it was checked; what is signed is this and nothing else. */
function Request(props: { command: CommandJson }) {
  const app = useApp();
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  const point = () => app.pointById().get(props.command.point);
  const word = () => {
    const found = point();
    const { value } = props.command;
    if (!found) return String(value);
    const choice = found.kind === 'command' ? choicesOf(found).find((each) => each.value === value) : undefined;
    const number = shown(found, value, app.scaleFor(found));
    return choice?.word ?? [number.text, number.unit].filter(Boolean).join(' ');
  };
  const place = () => app.equipmentById().get(point()?.equipment ?? '')?.name;
  async function run(action: () => Promise<CommandJson>): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      app.applyCommand(await action());
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }
  const approve = () =>
    run(async () =>
      operatorsApi.approve(props.command.id, await signWith(await operatorsApi.approvalOptions(props.command.id))),
    );
  return (
    <section class="step request" aria-label={`Order of ${props.command.by}`}>
      <p class="ordered">
        {point()?.name ?? props.command.point}: {word()}
      </p>
      <p class="sub">
        {[place(), point()?.endpoint, `asked by ${props.command.by}`].filter(Boolean).join(' · ')} ·{' '}
        {timeLeft(props.command.expiresAt, app.now())} left
      </p>
      <Checks checks={props.command.checks} />
      <Problem text={problem()} />
      <div class="btns end">
        <button type="button" disabled={busy()} onClick={() => void run(() => api.step(props.command.id, 'cancel'))}>
          Refuse
        </button>
        <button
          type="button"
          class="main strong"
          disabled={busy() || app.refusal('commands.operate') !== undefined}
          onClick={() => void approve()}
        >
          Approve with authenticator
        </button>
      </div>
    </section>
  );
}
