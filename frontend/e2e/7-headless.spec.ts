// A node without a browser: its shell prints a code, the console approves it, the shell accepts.
import { expect, test } from '@playwright/test';
import { Console, type Language, say } from './console.ts';
import {
  clusters, controlNode, giveInventory, organization, registerAtShell,
} from './settings.ts';

test.describe.configure({ mode: 'serial' });

const list = '/services/contact-center/cloud-connect';

/** What a control node orchestrates is there while its administrator lets it, and not after. */
async function showsItsContactCenter(console: Console) {
  const { page, w } = console;
  const view = page.locator('#cloud-view');
  await expect(view.getByText('nodeclient utils cloud-view enable')).toBeVisible();
  giveInventory();
  controlNode('utils', 'cloud-view', 'enable', '--yes');
  await expect(view.locator('[data-machine]')).toHaveCount(10, { timeout: 60_000 });
  await expect(view.getByText('UCCE-4000-Agents')).toBeVisible();
  await expect(view.getByText(w.cloudView.noProcedure)).toBeVisible();
  await expect(view.getByText('domain.local')).toHaveCount(0);
  await expect(view.locator('[data-status=ok]')).toHaveCount(1);
  await expect(view.locator('[data-status=failed]')).toContainText(w.cloudView.state.failed);
  await expect(view.locator('[data-code]').first()).toContainText(
    console.language === 'ja' ? /。$/ : /\.$/);
  expect((await view.locator('[data-code]').allInnerTexts()).join()).not.toMatch(/[a-z]_[a-z]/);
  await view.evaluate((section) => section.scrollIntoView());
  await console.picture(`contact-center-${console.language}`);
  await view.getByRole('button', { name: /\d/ }).click();
  await expect.poll(() => view.locator('[data-machine]').count()).toBeGreaterThan(20);
  await console.check('what a control node orchestrates');
  controlNode('utils', 'cloud-view', 'disable');
  await expect(view.locator('[data-machine]')).toHaveCount(0, { timeout: 60_000 });
  await expect(view.getByText('nodeclient utils cloud-view enable')).toBeVisible();
}

for (const language of ['en', 'ja'] as Language[]) {
  test(`a node is denied, then approved, by the code that its shell prints (${language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      const name = `Headless ${language}`;
      await console.signIn();
      await console.button(w.list.byCode).click();
      await console.field(w.headless.code, console.dialog()).fill('BCDF-GHJK');
      await console.refused(() => console.button(w.headless.next, console.dialog()).click());
      await console.check('the dialog for a code');
      await console.picture(`headless-code-${language}`);

      const refused = registerAtShell();
      await console.field(w.headless.code, console.dialog()).fill(await refused.code);
      await console.button(w.headless.next, console.dialog()).click();
      await expect(console.dialog().getByText(clusters.one.fqdn)).toBeVisible();
      await expect(console.dialog().getByText(await refused.fingerprint)).toBeVisible();
      await console.check('the dialog that approves a node');
      await console.picture(`headless-approve-${language}`);
      await console.button(w.headless.deny, console.dialog()).click();
      await console.dialog().waitFor({ state: 'detached' });
      expect(await refused.ended).not.toBe(0);

      const accepted = registerAtShell();
      await console.button(w.list.byCode).click();
      await console.field(w.headless.code, console.dialog()).fill(
        (await accepted.code).toLowerCase().replace('-', ''));
      await console.button(w.headless.next, console.dialog()).click();
      await console.button(w.headless.approve, console.dialog()).click();
      await expect(console.dialog().getByText(w.required)).toBeVisible();
      await console.field(w.add.name, console.dialog()).fill(name);
      await console.button(w.headless.approve, console.dialog()).click();
      await console.dialog().waitFor({ state: 'detached' });
      expect(await accepted.ended, accepted.printed()).toBe(0);
      expect(accepted.printed()).toContain(organization);
      await page.goto(list);
      await expect(console.card(name)).toBeVisible();
      await console.card(name).getByRole('link').click();
      await expect(page.locator('[data-node]')).toHaveCount(2, { timeout: 60_000 });
      await showsItsContactCenter(console);
      await console.button(w.deregister.action).click();
      await console.dialog().locator('input').fill(name);
      await console.button(w.deregister.action, console.dialog()).click();
      await page.waitForURL(`**${list}`);
      await expect(page.getByText(say(w.deregister.done, { name }))).toBeVisible();
      await console.close();
    });
}
