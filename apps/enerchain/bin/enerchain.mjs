#!/usr/bin/env node
/** `npx enerchain …` in a checkout: goes through the repository's door, which brings the pinned Node 22. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(realpathSync(fileURLToPath(import.meta.url)));
process.argv.splice(2, 0, 'enerchain');
await import(pathToFileURL(join(here, '..', '..', '..', 'tools', 'run.mjs')).href);
