-- Every version of the grid model that was ever in force.
CREATE TABLE grid_models (
  version integer PRIMARY KEY,
  at      timestamptz NOT NULL,
  by      text NOT NULL,
  digest  text NOT NULL,
  model   text NOT NULL
);
