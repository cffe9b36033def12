import { createSignal, onCleanup, Show } from 'solid-js';
import { trustApi } from '../api/trust.ts';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { ANCHOR_NAME, receiptName, verifyCommand } from './words.ts';

/** Gives a file to the person as a browser does it: a link that is clicked. */
function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The receipt of the value whose chain is shown, the anchor, and the command that checks one by the other. */
export function Receipt(props: { point: PointInfo; sourceTime: string }) {
  const app = useApp();
  const [saved, setSaved] = createSignal<string>();
  const [problem, setProblem] = createSignal<string>();
  const [copied, setCopied] = createSignal(false);
  let forget: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(forget));
  const name = () => saved() ?? receiptName(props.point.name, new Date(props.sourceTime));
  const command = () => verifyCommand(name());
  async function take(fetch: () => Promise<Blob>, as: string): Promise<boolean> {
    setProblem(undefined);
    try {
      save(await fetch(), as);
      return true;
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
  async function receipt(): Promise<void> {
    // The value whose chain is on the screen, not one that has come while somebody reads.
    const at = props.sourceTime;
    const as = receiptName(props.point.name, new Date(at));
    if (await take(() => trustApi.receipt(props.point.mRID, at), as)) setSaved(as);
  }
  async function copy(): Promise<void> {
    // Without a secure context there is no clipboard; the line can be selected by hand.
    await navigator.clipboard?.writeText(command()).then(
      () => {
        setCopied(true);
        clearTimeout(forget);
        forget = setTimeout(() => setCopied(false), 2000);
      },
      () => {},
    );
  }
  const lost = () => (app.live() ? undefined : 'The connection to the centre is lost.');
  return (
    <div class="receipt">
      <div class="btns">
        <button
          type="button"
          class="main"
          disabled={lost() !== undefined}
          title={lost()}
          onClick={() => void receipt()}
        >
          Save receipt
        </button>
        <button
          type="button"
          disabled={lost() !== undefined}
          title={lost() ?? 'What a receipt is checked against: authority, log key, witnesses, policy'}
          onClick={() => void take(trustApi.anchor, ANCHOR_NAME)}
        >
          Save anchor
        </button>
      </div>
      <Show when={problem()}>
        {(text) => (
          <p class="p1-text" role="alert">
            {text()}
          </p>
        )}
      </Show>
      <p class="sub">Checked on any machine, without this centre:</p>
      <div class="copy">
        <code>{command()}</code>
        <button type="button" onClick={() => void copy()} aria-label="Copy the command">
          {copied() ? 'copied' : 'copy'}
        </button>
      </div>
    </div>
  );
}
