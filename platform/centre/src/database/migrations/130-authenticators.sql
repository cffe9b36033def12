-- Authenticators of operators (WebAuthn credentials), and every list of them that was given to the gateways.
CREATE TABLE authenticators (
  credential_id text PRIMARY KEY,
  user_name text NOT NULL,
  label text NOT NULL,
  public_key text NOT NULL,
  rp_id text NOT NULL,
  sign_count bigint NOT NULL,
  created_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE TABLE operator_lists (
  version integer PRIMARY KEY,
  payload bytea NOT NULL,
  approval jsonb,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL
);
