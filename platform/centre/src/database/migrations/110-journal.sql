-- What the journal derives from the ingest log. `id` is computed from the log offset, so that reading a piece of the
-- log twice writes the same rows once.
CREATE TABLE journal (
  id          bigint PRIMARY KEY,
  log_offset  bigint NOT NULL,
  stream      text NOT NULL,
  kind        text,
  source_time bigint NOT NULL,
  until       bigint,
  point       uuid,
  source      text,
  body        text NOT NULL
);
CREATE INDEX journal_by_time ON journal (source_time DESC, id DESC) WHERE stream = 'event';
CREATE INDEX journal_by_point ON journal (point, source_time DESC, id DESC) WHERE stream = 'event';
CREATE INDEX journal_gaps ON journal (source_time DESC, id DESC) WHERE stream = 'gap';

CREATE TABLE alarms (
  id         bigint PRIMARY KEY,
  key        text NOT NULL,
  state      text NOT NULL,
  changed_id bigint NOT NULL,
  body       text NOT NULL
);
CREATE INDEX alarms_open ON alarms (state) WHERE state <> 'normal';

CREATE TABLE commands (
  id         uuid PRIMARY KEY,
  created_id bigint NOT NULL,
  changed_id bigint NOT NULL,
  body       text NOT NULL
);
CREATE INDEX commands_by_time ON commands (created_id DESC);

CREATE TABLE audit (
  log_offset bigint PRIMARY KEY,
  at         bigint NOT NULL,
  action     text NOT NULL,
  actor      text NOT NULL,
  outcome    text NOT NULL,
  subject    text,
  detail     json
);

-- One row: how far the journal has come, and what it needs to go on from there.
CREATE TABLE journal_state (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  instance   text NOT NULL,
  log_offset bigint NOT NULL,
  state      bytea NOT NULL
);

CREATE TABLE journal_sites (
  source   text PRIMARY KEY,
  document bytea NOT NULL
);
