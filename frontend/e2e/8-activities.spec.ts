// Who did what: everything that the tests before have done is on record.
import { readFileSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { Console, type Language } from './console.ts';
import { hub } from './settings.ts';

for (const language of ['en', 'ja'] as Language[]) {
  test(`activities are found, looked into and exported (${language})`, async ({ browser }) => {
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await console.signIn();
    await page.getByRole('menuitem', { name: w.shell.activities }).click();
    const records = page.locator('tr[data-action]');
    await expect(records.first()).toBeVisible();
    const signedIn = page.locator('tr[data-action=signed_in]').first();
    await expect(signedIn).toContainText(hub.email);
    await signedIn.getByRole('button').click();
    await expect(page.locator('td.details')).toContainText(/127\.0\.0\.1|::1/);
    await console.check('admin activities');
    await console.picture(`activities-${language}`);

    await console.field(w.activities.actor).fill('nobody at all');
    await expect(page.getByText(w.activities.nothing)).toBeVisible();
    await console.button(w.activities.reset).click();
    await expect(records.first()).toBeVisible();
    await page.getByRole('combobox', { name: w.activities.period }).click();
    await page.getByRole('option', { name: w.activities.periods.range }).click();
    await expect(page.getByText(w.activities.range)).toBeVisible();
    const today = new Date().toISOString().slice(0, 10);
    await page.locator('input[type=date]').first().fill(today);
    await page.locator('input[type=date]').last().fill(today);
    await expect(records.first()).toBeVisible();
    await console.check('admin activities of a day');
    await console.button(w.activities.reset).click();

    const [file] = await Promise.all([
      page.waitForEvent('download'), console.button(w.activities.export).click(),
    ]);
    expect(file.suggestedFilename()).toMatch(/^admin-activities-\d{4}-\d\d-\d\d\.csv$/);
    const text = readFileSync(await file.path(), 'utf8');
    expect(text.split('\n').length).toBeGreaterThan(5);
    expect(text).toContain(hub.email);
    await console.close();
  });
}
