// Software downloads: the agreement, a download key that is shown once, viewed and revoked, and an
// identity token.
import { expect, test } from '@playwright/test';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Console, type Language, say } from './console.ts';
import { newOrganization, operate } from './settings.ts';

const password = 'six velvet lanterns drift slowly';

for (const language of ['en', 'ja'] as Language[]) {
  test(`a download key is generated, viewed and revoked (${language})`, async ({ browser }) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'software-'));
    const file = path.join(folder, 'patch.cop');
    writeFileSync(file, 'patch');
    const of = `Downloads ${language}`;
    const link = newOrganization(of, language, `downloads-${language}@downloads.example`);
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await console.accept(link, 'Dana Downloads', password);
    await page.goto('/software');
    await expect(page.getByText(w.software.notEntitled)).toBeVisible();
    await console.check('software downloads without a contract');

    const version = `2026-${language}`;
    operate('software', 'publish-eula', version, file);
    operate('software', 'add', file, '--path', `vvb/${language}/patch.cop`, '--product', 'VVB',
      '--version', '12.6(1)ES1');
    operate('entitlement', 'add', of, '--reference', 'C-1', '--product', 'VVB',
      '--from', '2020-01-01', '--until', '2099-12-31');
    await page.reload();
    await console.button(w.software.readAndAccept).click();
    await console.check('the agreement');
    await console.button(w.software.accept, console.dialog()).click();
    await expect(page.getByText(say(w.software.accepted, { version }))).toBeVisible();

    const names = { key: 'Production', token: 'Rotating' };
    await console.button(w.software.generateKey).click();
    await console.field(w.software.keyName, console.dialog()).fill(names.key);
    await console.check('the dialog that generates a key');
    await console.button(w.software.generateKey, console.dialog()).click();
    const secret = await console.dialog().locator('.secret').textContent() ?? '';
    expect(secret).toMatch(/^chk_[a-z0-9]{59}$/);
    await console.check('the key, shown once');
    await console.button(w.once.done, console.dialog()).click();
    await expect(page.getByText(secret)).toHaveCount(0);
    const row = console.row('key', names.key);
    await expect(row.getByText(secret.slice(-4))).toBeVisible();

    await console.button(w.software.generateToken).click();
    await console.field(w.software.keyName, console.dialog()).fill(names.token);
    await console.button(w.software.generateToken, console.dialog()).click();
    await expect(console.dialog().locator('.secret')).toHaveText(/^cht_[a-z0-9]{59}$/);
    await console.button(w.once.done, console.dialog()).click();
    await expect(console.row('key', names.token)).toBeVisible();
    await expect(page.getByText(`vvb/${language}/patch.cop`)).toBeVisible();
    await console.check('software downloads');
    await console.picture(`software-${language}`, true);

    await console.button(say(w.tokens.revokeOf, { name: names.key })).click();
    await console.check('the dialog that revokes a key');
    await console.button(w.tokens.revoke, console.dialog()).click();
    await expect(row).toHaveCount(0);
    await console.close();
  });
}
