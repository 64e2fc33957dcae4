// The vendor's side: a release engineer sees releases and no customer; and, last of all, that a
// session which has grown old is asked to sign in again before a change.
import { expect, test } from '@playwright/test';
import { Console, type Language } from './console.ts';
import { clusters, earlySession, hub, newUser, versions } from './settings.ts';

const list = '/services/contact-center/cloud-connect';

for (const language of ['en', 'ja'] as Language[]) {
  test(`a release engineer pauses and resumes a release, and sees no customer (${language})`,
    async ({ browser }) => {
      const engineer = newUser('Vendor', 'release_engineer', `engineer-${language}@vendor.example`);
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await console.signIn(engineer, w.releases.title);
      const row = console.row('release', versions.emergency);
      await row.waitFor();
      await expect(page.getByRole('menuitem', { name: w.shell.cloudConnect })).toHaveCount(0);
      await expect(page.getByRole('menuitem', { name: w.shell.activities })).toHaveCount(0);
      await console.check('releases');
      await console.picture(`releases-${language}`);
      await console.button(w.releases.pause, row).click();
      await expect(row.getByText(w.releases.paused)).toBeVisible();
      await console.button(w.releases.resume, row).click();
      await expect(row.getByText(w.releases.publishedState)).toBeVisible();
      if (language === 'ja') {
        await console.button(w.releases.recall, row).click();
        await console.check('the dialog that recalls a release');
        await console.button(w.releases.recall, console.dialog()).click();
        await expect(row.getByText(w.releases.recalled)).toBeVisible();
      }
      await page.goto(list);
      await console.heading(w.error.notFound).waitFor();
      const { status } = await page.evaluate(async () => {
        const answer = await fetch('/api/admin/v1/clusters');
        return { status: answer.status };
      });
      expect(status).toBe(403);
      console.forgive(/status of 403 /);
      await console.close();
    });
}

test('an old session signs in again before a change, and what was typed is kept',
  async ({ browser }) => {
    test.setTimeout(420_000);
    const console = await Console.open(browser, 'en', { kept: earlySession });
    const { page, w } = console;
    await page.goto(list);
    await console.heading(w.list.title).waitFor();
    await expect.poll(async () => {
      const session = await page.request.get('/api/admin/v1/session');
      const { confirmed_until: until } = await session.json() as { confirmed_until: string };
      return Date.parse(until) < Date.now();
    }, { timeout: 330_000, intervals: [1_000] }).toBe(true);
    await console.button(w.list.add).or(console.button(w.list.addMore)).click();
    await console.field(w.add.name, console.dialog()).fill('Kept as typed');
    await console.field(w.add.fqdn, console.dialog()).fill(clusters.one.fqdn);
    await console.button(w.add.submit, console.dialog()).click();
    await console.again().waitFor();
    await console.check('the dialog to sign in again');
    await console.picture('confirm');
    await console.field(w.signIn.password, console.again()).fill('not the password');
    await console.refused(() =>
      console.button(w.confirmation.submit, console.again()).click());
    await console.button(w.cancel, console.again()).click();
    await console.again().waitFor({ state: 'detached' });
    await expect(console.field(w.add.name, console.dialog())).toHaveValue('Kept as typed');
    await console.button(w.add.submit, console.dialog()).click();
    await console.field(w.signIn.password, console.again()).fill(hub.password);
    await page.keyboard.press('Enter');
    await page.locator('input[name=username]').waitFor(); // the publisher's page: it was done
    await page.goto(list);
    const card = console.card('Kept as typed');
    await console.button(w.registration.cancel, card).click();
    await expect(card).toHaveCount(0);
    console.forgive(/status of 403 /);
    await console.close();
  });
