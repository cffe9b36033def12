import { createSignal, For, onCleanup, Show } from 'solid-js';
import { trustApi, type ValueTrust } from '../api/trust.ts';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { save } from '../ui/save.ts';
import { ANCHOR_NAME, receiptName, verifyCommand } from './words.ts';

/** How often it is asked whether the result is there that a receipt waits for, in milliseconds. */
const ASK_AGAIN = 1_500;

/** The receipt of the value whose chain is shown, the anchor, and the command that checks one by the other. */
export function Receipt(props: { point: PointInfo; sourceTime: string; trust: ValueTrust }) {
  const app = useApp();
  const [saved, setSaved] = createSignal<string>();
  const [problem, setProblem] = createSignal<string>();
  const [copied, setCopied] = createSignal(false);
  /** Ends the waiting for the result behind a provisional value: `true` takes the receipt as it stands. */
  const [endWait, setEndWait] = createSignal<(take: boolean) => void>();
  let forget: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => {
    clearTimeout(forget);
    endWait()?.(false);
  });
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
  /** @returns whether to go on: the value is settled, or the person wants the receipt as it stands */
  async function settled(mRID: string, at: string): Promise<boolean> {
    let wish: boolean | undefined;
    let wake = () => {};
    setEndWait(() => (wanted: boolean) => {
      wish = wanted;
      wake();
    });
    try {
      while (wish === undefined) {
        const { trust } = await trustApi.provenance(mRID, at);
        if (trust !== 'provisional') return true;
        await new Promise<void>((done) => {
          const timer = setTimeout(done, ASK_AGAIN);
          wake = () => {
            clearTimeout(timer);
            done();
          };
        });
      }
      return wish;
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return false;
    } finally {
      setEndWait(undefined);
    }
  }
  async function receipt(): Promise<void> {
    // The value whose chain is on the screen, not one that has come while somebody reads.
    const { sourceTime: at, point } = props;
    const as = receiptName(point.name, new Date(at));
    setProblem(undefined);
    if (props.trust === 'provisional' && !(await settled(point.mRID, at))) return;
    if (await take(() => trustApi.receipt(point.mRID, at), as)) setSaved(as);
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
          disabled={lost() !== undefined || endWait() !== undefined}
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
      <Show when={endWait()}>
        {(end) => (
          <div class="waiting" role="status">
            <p>
              Waiting for the next result about {props.point.source}: it proves that nothing had changed when the value
              was measured. The receipt is saved as soon as it is there.
            </p>
            <div class="btns">
              <button type="button" onClick={() => end()(true)}>
                Save it as it stands
              </button>
              <button type="button" onClick={() => end()(false)}>
                Do not wait
              </button>
            </div>
          </div>
        )}
      </Show>
      <Show when={problem()}>
        {(text) => (
          <p class="p1-text" role="alert">
            {text()}
          </p>
        )}
      </Show>
      <p class="sub">Checked on any machine, without this centre:</p>
      <div class="copy">
        <code>
          <For each={command().split(' ')}>{(word, index) => <span>{`${index() ? ' ' : ''}${word}`}</span>}</For>
        </code>
        <button type="button" onClick={() => void copy()} aria-label="Copy the command">
          {copied() ? 'copied' : 'copy'}
        </button>
      </div>
    </div>
  );
}
