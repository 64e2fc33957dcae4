// Whoever works by keyboard keeps a dialog in hand, whatever the hub answers: Escape closes it.
import { expect, test } from '@playwright/test';
import { Console } from './console.ts';
import { hub } from './settings.ts';

for (const language of ['en', 'ja'] as const) {
  test(`Escape closes a dialog after a refusal (${language})`, async ({ browser }) => {
    const console = await Console.open(browser, language);
    const { page, w } = console;
    await console.signIn();
    await page.goto('/users');
    const opener = console.button(w.invitations.invite);
    const submit = console.button(w.invitations.invite, console.dialog());
    const open = async () => {
      await opener.click();
      await console.field(w.signIn.email, console.dialog()).fill(hub.email);
    };

    await open();
    await submit.focus();
    await console.refused(() => page.keyboard.press('Enter'));
    await expect(submit, 'the focus stays where it was').toBeFocused();
    await page.keyboard.press('Escape');
    await expect(console.dialog()).toHaveCount(0);
    await expect(opener, 'and goes back to what opened the dialog').toBeFocused();

    await open();
    await console.refused(() => submit.click());
    await page.keyboard.press('Escape');
    await expect(console.dialog()).toHaveCount(0);

    // a click on its text, or beside it, takes the focus from every field
    await open();
    await console.dialog().getByText(w.invitations.inviteText).click();
    await page.keyboard.press('Escape');
    await expect(console.dialog()).toHaveCount(0);
    await open();
    await page.mouse.click(5, 5);
    await page.keyboard.press('Escape');
    await expect(console.dialog()).toHaveCount(0);
    await console.close();
  });
}
