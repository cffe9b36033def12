-- History as packed segments: a few hundred samples of one point, compressed, with the figures that a coarse query
-- needs in the row itself. Times are nanoseconds since the Unix epoch, UTC.
CREATE TABLE segment (
  point        uuid     NOT NULL,
  -- offset in the ingest log of the first and the last record that contributed
  first_offset bigint   NOT NULL,
  last_offset  bigint   NOT NULL,
  -- 0: samples in order of time; 1: samples that arrived late, beside lane 0
  lane         smallint NOT NULL,
  log          uuid     NOT NULL,
  t0           bigint   NOT NULL,
  t1           bigint   NOT NULL,
  samples      integer  NOT NULL,
  -- samples that are numbers and not invalid: what min, max and sum are made of
  believed     integer  NOT NULL,
  repeats      integer  NOT NULL,
  min          double precision,
  max          double precision,
  sum          double precision,
  last         double precision,
  quality      integer  NOT NULL,
  data         bytea    NOT NULL,
  PRIMARY KEY (point, log, first_offset, lane)
);
CREATE INDEX segment_time ON segment (point, t1, t0);
CREATE INDEX segment_offset ON segment (log, last_offset);
ALTER TABLE segment ALTER COLUMN data SET STORAGE EXTERNAL;

-- How far the historian has come in a log, written in the same transaction as the segments.
CREATE TABLE historian_position (
  log         uuid   PRIMARY KEY,
  -- the oldest record that has a sample in no segment yet; replay starts here
  replay_from bigint NOT NULL
);
