// Bundles the Momentum icons that are named, and no others.
//
// Momentum's icon component imports its drawing by a computed path, which a bundler can only answer
// with thousands of chunks or with none. This plugin points that one import at a virtual module
// that holds the named drawings as lit templates: nothing is fetched while the console runs, and
// no markup is parsed from a string, so Trusted Types may stay on.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'vite';

const MODULE = 'virtual:bundled-icons';
const RESOLVED = '\0' + MODULE;
const COMPONENT = '/components/icon/icon.component.js';
const COMPUTED_IMPORT =
  /import\(`@momentum-design\/icons\/dist\/ts\/\$\{this\.name\}\.ts`\)\s*\.then\(module => \{\s*this\.handleIconLoadedSuccess\(module\.default\(\)\);/;

function folder(): string {
  const require = createRequire(import.meta.url);
  return path.join(
    path.dirname(require.resolve('@momentum-design/icons/package.json')), 'dist/svg');
}

function template(name: string, svg: string): string {
  if (/[`$\\]/.test(svg)) throw new Error(`icon ${name} holds a character that ends a template`);
  const marked = svg.replace('<svg', `<svg aria-hidden="true" part="icon" data-name="${name}"`);
  return `${JSON.stringify(name)}: () => html\`${marked}\``;
}

export function bundledIcons(names: readonly string[]): Plugin {
  const svgs = folder();
  const sorted = [...new Set(names)].sort();
  return {
    name: 'bundled-icons',
    enforce: 'pre',
    resolveId: (id) => (id === MODULE ? RESOLVED : undefined),
    load(id) {
      if (id !== RESOLVED) return undefined;
      const templates = sorted.map((name) =>
        template(name, readFileSync(path.join(svgs, `${name}.svg`), 'utf8').trim()));
      return `import { html } from 'lit';
const icons = { ${templates.join(',\n')} };
export async function drawing(name) {
  if (!icons[name]) {
    console.error('icon not bundled: ' + name);
    throw new Error('icon not bundled: ' + name);
  }
  return icons[name]();
}
`;
    },
    transform(code, id) {
      if (!id.includes(COMPONENT)) return undefined;
      if (!COMPUTED_IMPORT.test(code)) {
        this.error('the icon component changed its shape: bundled-icons must follow it');
      }
      const direct = code.replace(COMPUTED_IMPORT,
        'drawing(this.name).then(svg => {\nthis.handleIconLoadedSuccess(svg);');
      return { code: `import { drawing } from '${MODULE}';\n${direct}`, map: null };
    },
  };
}
