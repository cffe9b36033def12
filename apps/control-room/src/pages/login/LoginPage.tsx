import { createSignal, Show } from 'solid-js';
import { api } from '../../api/client.ts';
import { useApp } from '../../app.ts';

export function LoginPage() {
  const app = useApp();
  return (
    <CredentialsForm
      title="Log in"
      text="The control room of this centre"
      action="Log in"
      autocomplete="current-password"
      submit={async (user, password) => {
        app.enter(await api.logIn(user, password));
      }}
    />
  );
}

/** A form with user and password; shows the centre's own sentence when it refuses. */
export function CredentialsForm(props: {
  title: string;
  text: string;
  action: string;
  autocomplete: 'current-password' | 'new-password';
  submit: (user: string, password: string) => Promise<void>;
}) {
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  const fresh = () => props.autocomplete === 'new-password';
  async function onSubmit(event: SubmitEvent & { currentTarget: HTMLFormElement }): Promise<void> {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const [user, password] = [String(data.get('user') ?? '').trim(), String(data.get('password') ?? '')];
    if (fresh() && password !== data.get('again')) return void setProblem('The two passwords differ.');
    setBusy(true);
    setProblem(undefined);
    try {
      await props.submit(user, password);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }
  return (
    <main class="alone">
      <form class="login" onSubmit={(event) => void onSubmit(event)}>
        <b class="brand">CloudEnerChain</b>
        <h2>{props.title}</h2>
        <p class="sub">{props.text}</p>
        <label>
          User
          <input name="user" autocomplete="username" required maxLength={64} autofocus spellcheck={false} />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autocomplete={props.autocomplete}
            required
            minLength={fresh() ? 12 : undefined}
            maxLength={256}
          />
        </label>
        <Show when={fresh()}>
          <label>
            Password again
            <input name="again" type="password" autocomplete="new-password" required maxLength={256} />
          </label>
          <p class="sub">At least 12 characters. A sentence is good.</p>
        </Show>
        <Show when={problem()}>
          {(text) => (
            <p class="p1-text" role="alert">
              {text()}
            </p>
          )}
        </Show>
        <button type="submit" class="main strong" disabled={busy()}>
          {props.action}
        </button>
      </form>
    </main>
  );
}
