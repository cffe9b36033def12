-- Versions of the grid model tell what they are without being read whole, and are never changed again.
ALTER TABLE grid_models ADD COLUMN summary text;
UPDATE grid_models SET summary = json_build_object(
  'name', model::json ->> 'name',
  'nodes', json_array_length(model::json -> 'connectivityNodes'),
  'equipment', json_array_length(model::json -> 'equipment'),
  'headers', coalesce(model::json -> 'headers', '[]'::json)
)::text;
ALTER TABLE grid_models ALTER COLUMN summary SET NOT NULL;

-- Which terminal or equipment a point belongs to, as somebody accepted it. The newest of a point counts.
CREATE TABLE grid_links (
  id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at    timestamptz NOT NULL,
  by    text NOT NULL,
  point uuid NOT NULL,
  body  text NOT NULL
);

CREATE FUNCTION grid_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER grid_models_append_only BEFORE UPDATE OR DELETE ON grid_models
  FOR EACH ROW EXECUTE FUNCTION grid_append_only();
CREATE TRIGGER grid_links_append_only BEFORE UPDATE OR DELETE ON grid_links
  FOR EACH ROW EXECUTE FUNCTION grid_append_only();
