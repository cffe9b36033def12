-- Sources whose certificates are no longer accepted.
CREATE TABLE revoked_certificate (
  fingerprint text        PRIMARY KEY,
  name        text        NOT NULL,
  reason      text        NOT NULL,
  at          timestamptz NOT NULL DEFAULT now()
);
