import { api } from '../../api/client.ts';
import { useApp } from '../../app.ts';
import { go } from '../../route.ts';
import { CredentialsForm } from './LoginPage.tsx';

/** The first administrator, by the one-time link that the centre printed at its first start. */
export function SetupPage(props: { token: string }) {
  const app = useApp();
  return (
    <CredentialsForm
      title="First administrator"
      text="This link works once. The account made here may create all others."
      action="Create the account"
      autocomplete="new-password"
      submit={async (user, password) => {
        app.enter(await api.setUp(props.token, user, password));
        go('grid');
      }}
    />
  );
}
