// The browser tests run against a real hub with real nodes; see e2e/README.md.
import { defineConfig } from '@playwright/test';
import { hub } from './settings.ts';

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  timeout: 240_000,
  expect: { timeout: 30_000 },
  reporter: [['list'], ['./proof.ts']],
  reportSlowTests: null,
  use: {
    actionTimeout: 60_000,
    navigationTimeout: 60_000,
    baseURL: hub.url,
    ignoreHTTPSErrors: true,
    viewport: { width: 1360, height: 900 },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: hub.chromium,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    },
  },
});
