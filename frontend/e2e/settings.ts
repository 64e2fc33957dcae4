// What the browser tests are told about the hub and the clusters they run against.

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
  two: { fqdn: process.env['CLUSTER_2'] ?? 'cc-pub2.localhost' },
};

/** The application user of the publishers. */
export const publisher = { username: need('NODE_USERNAME'), password: need('NODE_PASSWORD') };

/** Publishes the release; empty when it is published already. */
export const publishCommand = process.env['PUBLISH_COMMAND'] ?? '';
export const version = {
  before: process.env['VERSION_BEFORE'] ?? '1.0.0',
  after: process.env['VERSION_AFTER'] ?? '2.0.0',
};

/** Where pictures for the documentation go; none are taken when it is empty. */
export const pictures = process.env['PICTURES'] ?? '';

/** How long an upgrade of a whole cluster may take, from its window on. */
export const upgradeTimeout = Number(process.env['UPGRADE_TIMEOUT_SECONDS'] ?? 300) * 1000;
