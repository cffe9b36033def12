import { createResource, createSignal, For, onMount, Show } from 'solid-js';
import { type AuthenticatorJson, operatorsApi } from '../api/operators.ts';
import { useApp } from '../app.ts';
import { shortStamp } from '../format/time.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';
import { Notice, Problem, Skeleton } from '../ui/parts.tsx';
import { createCredential, noAuthenticators, signWith } from './authenticator.ts';

/** The operators' authenticators: registering one's own, and vouching for those of others. */
export function AuthenticatorsDialog(props: { onClose: () => void }) {
  const app = useApp();
  let dialog!: HTMLDialogElement;
  const [label, setLabel] = createSignal('');
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  const [list, { refetch }] = createResource(() => operatorsApi.authenticators());
  onMount(() => dialog.showModal());
  const refusal = () => app.refusal('commands.operate') ?? noAuthenticators();
  const user = () => app.session()?.user;
  const items = () => (list.error ? [] : (list()?.items ?? []));
  const active = (of: string | null | undefined) => items().some((each) => each.user === of && each.state === 'active');

  async function run(action: () => Promise<unknown>): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await action();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    await refetch();
    setBusy(false);
  }
  const register = () =>
    run(async () => {
      const made = await createCredential(await operatorsApi.registrationOptions());
      await operatorsApi.register(label().trim() || 'authenticator', made);
      setLabel('');
    });
  const change = (id: string, what: 'add' | 'remove') =>
    run(async () => operatorsApi.approveList(id, what, await signWith(await operatorsApi.listOptions(id, what))));

  return (
    <dialog
      ref={dialog}
      class="dialog wide"
      aria-labelledby="authenticators-title"
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <h2 id="authenticators-title">Authenticators</h2>
      <p>
        With an authenticator an operator approves an order of another one. The gateways hold the list of their keys and
        check each approval themselves. A new key counts once an operator on the list has approved it.
      </p>
      <Show when={list.error}>
        {(error) => (
          <Notice title="The list is not known" tone="error">
            {(error() as Error).message}
          </Notice>
        )}
      </Show>
      <Show when={list.loading && !list.latest}>
        <Skeleton rows={3} />
      </Show>
      <Show when={!list.error && list() && items().length === 0}>
        <p>Nobody has registered one yet. The first one makes the list; nobody can approve it.</p>
      </Show>
      <ul class="authenticators">
        <For each={items()}>
          {(each) => (
            <li aria-label={`${each.label} of ${each.user}`}>
              <CheckGlyph state={each.state === 'active' ? 'ok' : 'warn'} />
              <span>
                <b>{each.user}</b> · {each.label}
                <small>
                  {each.state === 'active'
                    ? 'known to the gateways'
                    : 'waits for the approval of an operator on the list'}{' '}
                  · {usedWords(each, app.now())}
                </small>
              </span>
              <Show when={each.state === 'waiting' && each.user !== user() && active(user())}>
                <button
                  type="button"
                  class="main"
                  disabled={busy() || refusal() !== undefined}
                  title={refusal()}
                  onClick={() => void change(each.id, 'add')}
                >
                  Approve
                </button>
              </Show>
              <Show when={each.state === 'waiting' && each.user === user()}>
                <button type="button" disabled={busy()} onClick={() => void run(() => operatorsApi.remove(each.id))}>
                  Take back
                </button>
              </Show>
              <Show when={each.state === 'active' && active(user()) && items().some(isAnother(each))}>
                <button
                  type="button"
                  disabled={busy() || refusal() !== undefined}
                  title={refusal()}
                  onClick={() => void change(each.id, 'remove')}
                >
                  Remove
                </button>
              </Show>
            </li>
          )}
        </For>
      </ul>
      <form
        class="register"
        onSubmit={(event) => {
          event.preventDefault();
          void register();
        }}
      >
        <label class="reason">
          <span class="sub">Name of the authenticator</span>
          <input
            name="label"
            maxLength={64}
            placeholder="key on my ring"
            value={label()}
            onInput={(event) => setLabel(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="main" disabled={busy() || refusal() !== undefined} title={refusal()}>
          Register mine
        </button>
      </form>
      <Show when={refusal()}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
      <Problem text={problem()} />
      <div class="btns end">
        <button type="button" onClick={() => props.onClose()}>
          Close
        </button>
      </div>
    </dialog>
  );
}

const isAnother = (of: AuthenticatorJson) => (each: AuthenticatorJson) => each.id !== of.id && each.state === 'active';

const usedWords = ({ createdAt, usedAt }: AuthenticatorJson, now: Date): string =>
  usedAt ? `last used ${shortStamp(new Date(usedAt), now)}` : `registered ${shortStamp(new Date(createdAt), now)}`;
