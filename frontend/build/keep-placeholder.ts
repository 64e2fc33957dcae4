// Empties dist before a build, but keeps the committed placeholder that lets `go build` work on a
// fresh clone: so a build leaves the working tree clean.
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'vite';

export function keepPlaceholder(placeholder: string): Plugin {
  let dist = '';
  return {
    name: 'keep-placeholder',
    apply: 'build',
    configResolved(config) {
      dist = path.resolve(config.root, config.build.outDir);
    },
    buildStart() {
      for (const entry of readdirSync(dist)) {
        if (entry !== placeholder) rmSync(path.join(dist, entry), { recursive: true });
      }
    },
  };
}
