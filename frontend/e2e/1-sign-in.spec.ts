// Who is let in, and in which words everybody else is not.
import { expect, test } from '@playwright/test';
import { Console } from './console.ts';
import { earlySession, hub } from './settings.ts';

const list = '/services/contact-center/cloud-connect';

test('a session that will be old at the end begins now', async ({ browser }) => {
  const console = await Console.open(browser, 'en');
  await console.signIn();
  await console.page.context().storageState({ path: earlySession });
  await console.close();
});

test('a wrong password is refused in words',
  async ({ browser }) => {
    const console = await Console.open(browser, 'en');
    const { page, w } = console;
    await page.goto(list);
    await console.button(w.signIn.submit).waitFor();
    await console.check('sign-in');
    await console.picture('sign-in');
    await console.field(w.signIn.email).fill(hub.email);
    await console.field(w.signIn.password).fill('not the password');
    await page.keyboard.press('Enter');
    const refusal = page.getByRole('alert').locator('mdc-banner');
    await expect(refusal).toHaveAttribute('label', /^[A-Z][^{}]+\.$/);
    await expect(page.getByText(w.signIn.ended)).toHaveCount(0);
    console.forgive(/40[13]|429/);
    await console.close();
  });

test('the language and the theme are those of the browser, and a choice is remembered',
  async ({ browser }) => {
    const console = await Console.open(browser, 'ja', { scheme: 'dark' });
    const { page, w } = console;
    await page.goto('/');
    await console.button(w.signIn.submit).waitFor();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await console.check('sign-in, dark, Japanese');
    await console.picture('sign-in-dark-ja');
    await console.button(w.shell.language).click();
    await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Switch to the light theme' }).click();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
    await expect(page.locator('html')).toHaveAttribute('lang', 'en');
    await console.close();
  });

for (const language of ['en', 'ja'] as const) {
  test(`too many wrong passwords are told from a wrong one (${language})`, async ({ browser }) => {
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await page.goto('/');
    await console.field(w.signIn.email).fill(`guessed-${language}@demo.example`);
    const refusal = page.getByRole('alert').locator('mdc-banner');
    const sentences = new Set<string>();
    for (let attempt = 0; attempt < 30 && sentences.size < 2; attempt++) {
      await console.field(w.signIn.password).fill(`not the password ${attempt}`);
      const answered = page.waitForResponse((answer) => answer.url().endsWith('/session')
        && answer.request().method() === 'POST');
      await console.button(w.signIn.submit).click();
      await answered;
      await expect(refusal).toHaveAttribute('label', /[.。]$/);
      sentences.add(await refusal.getAttribute('label') ?? '');
    }
    expect(sentences.size, 'sentences of refusal').toBe(2);
    await console.check('sign-in, refused');
    console.forgive(/40[13]|429/);
    await console.close();
  });

  test(`what went wrong at an organization's sign-in is said (${language})`,
    async ({ browser }) => {
      const console = await Console.open(browser, language);
      const { page, w } = console;
      await page.goto('/sign-in?problem=oidc_denied');
      const refusal = page.getByRole('alert').locator('mdc-banner');
      await expect(refusal).toHaveAttribute('label', w.signIn.problem.oidc_denied);
      expect(new URL(page.url()).search).toBe('');
      await console.button(w.signIn.organization).click();
      await expect(page.getByText(w.required).first()).toBeVisible();
      await console.field(w.signIn.email).fill('somebody@nowhere.example');
      await console.button(w.signIn.organization).click();
      await expect(refusal).not.toHaveAttribute('label', w.signIn.problem.oidc_denied);
      await expect(refusal).toHaveAttribute('label', /[.。]$/);
      console.forgive(/40\d|429/);
      await console.close();
    });
}

test('a link into the console leads there after signing in', async ({ browser }) => {
  const console = await Console.open(browser, 'en');
  const { page, w } = console;
  await page.goto('/organization');
  await console.field(w.signIn.email).fill(hub.email);
  await console.field(w.signIn.password).fill(hub.password);
  await page.keyboard.press('Enter');
  await console.heading(w.organization.title).waitFor();
  await console.signOut();
  await expect(page.getByText(w.signIn.ended)).toHaveCount(0);
  await console.close();
});
