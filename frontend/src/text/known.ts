/** The word, where it is among those that have a translation; a newer node may say others. */
export function known<K extends string>(words: readonly K[], word: string): K | undefined {
  return words.find((each) => each === word);
}
