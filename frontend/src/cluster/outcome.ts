import en, { type Outcomes } from '../i18n/outcomes-en';
import ja from '../i18n/outcomes-ja';

/** What a control node's code says; one of a newer node has a neutral sentence that names it. */
export function sentence(code: string, language: string): string {
  const all: Outcomes = language === 'ja' ? ja : en;
  const number = /^exit_(\d{1,10})$/.exec(code)?.[1];
  if (number) return all.exit.replace('{{number}}', number);
  if (Object.hasOwn(all, code)) return all[code as keyof Outcomes];
  return all.unlisted.replace('{{code}}', () => code);
}
