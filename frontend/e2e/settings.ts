// What the browser tests are told about the hub and the clusters they run against.
import { execFileSync } from 'node:child_process';

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; see e2e/README.md`);
  return value;
}

export const hub = {
  url: need('HUB_URL'),
  email: need('ADMIN_EMAIL'),
  password: need('ADMIN_PASSWORD'),
  chromium: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
};

/** Two clusters of two nodes, not yet registered. */
export const clusters = {
  one: { fqdn: process.env['CLUSTER_1'] ?? 'cc-pub.localhost' },
  two: { fqdn: process.env['CLUSTER_2'] ?? 'cd-pub.localhost' },
};

/** The application user of the publishers. */
export const publisher = { username: need('NODE_USER'), password: need('NODE_PASSWORD') };

/** What the nodes run at first, what the regular release is, and what the emergency one. */
export const versions = { first: '1.0.0', regular: '2.0.0', emergency: '3.0.0' };

/** Publishes a release as the vendor does, on the hub's command line. */
export function publish(kind: 'regular' | 'emergency') {
  const bundle = need(kind === 'regular' ? 'BUNDLE_2' : 'BUNDLE_3');
  execFileSync(need('HUB_SERVER'),
    ['release', 'publish', bundle, '--kind', kind, '--data', need('HUB_DATA')],
    { stdio: 'inherit' });
}

/** Where pictures for the documentation go; none are taken when it is empty. */
export const pictures = process.env['IMAGES'] ?? '';

/** How long an upgrade of a whole cluster may take, from its window on. */
export const upgradeTimeout = Number(process.env['UPGRADE_TIMEOUT_SECONDS'] ?? 300) * 1000;
