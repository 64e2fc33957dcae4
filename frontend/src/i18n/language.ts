// Which of the two languages a person reads.

export type Language = 'en' | 'ja';

export function isLanguage(word: string | null | undefined): word is Language {
  return word === 'en' || word === 'ja';
}

/** The remembered choice; otherwise the first of the browser's languages that the console has. */
export function pick(remembered: string | null, wanted: readonly string[]): Language {
  if (isLanguage(remembered)) return remembered;
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0];
    if (isLanguage(language)) return language;
  }
  return 'en';
}
