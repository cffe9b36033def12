-- Users, browser sessions and API tokens. Only hashes of secrets are stored.
CREATE TABLE users (
  name          text PRIMARY KEY,
  password_hash text NOT NULL,
  roles         text[] NOT NULL,
  created_at    timestamptz NOT NULL,
  disabled      boolean NOT NULL DEFAULT false
);

CREATE TABLE sessions (
  hash       text PRIMARY KEY,
  user_name  text NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  idle_until timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);

CREATE TABLE api_tokens (
  id         text PRIMARY KEY,
  name       text NOT NULL,
  hash       text NOT NULL UNIQUE,
  roles      text[] NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
