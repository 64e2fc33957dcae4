// Sizes in bytes for people.
import type { Language } from '../i18n/language';

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

export function size(bytes: number, language: Language): string {
  let value = bytes;
  let index = 0;
  while (value >= 1000 && index < units.length - 1) {
    value /= 1000;
    index++;
  }
  return new Intl.NumberFormat(language, {
    style: 'unit', unit: units[index], unitDisplay: 'short', maximumFractionDigits: 1,
  }).format(value);
}
