// Instants, lengths and weekdays in the reader's language and in the zone of a cluster.
import type { Language } from '../i18n/language';

export const weekdays = [
  'sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday',
] as const;
export type Weekday = (typeof weekdays)[number];

/** The zone itself, or UTC where the browser's zone data do not know it. */
export function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    return 'UTC';
  }
}

/** An instant with weekday, date and time, as the clocks of the zone show it. */
export function instant(at: string, language: Language, zone: string): string {
  return new Intl.DateTimeFormat(language, {
    timeZone: knownZone(zone),
    weekday: 'short', year: 'numeric', month: language === 'ja' ? 'long' : 'short',
    day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
  }).format(new Date(at));
}

/** The same, with the name of the zone. */
export function instantInZone(at: string, language: Language, zone: string): string {
  return `${instant(at, language, zone)} (${knownZone(zone)})`;
}

/** Only the time of day; for the end of a window beside its start. */
export function clockTime(at: string, language: Language, zone: string): string {
  return new Intl.DateTimeFormat(language, {
    timeZone: knownZone(zone), hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
  }).format(new Date(at));
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1_000],
];

/** How far away an instant is: "in 5 hours", "12 seconds ago". */
export function relative(at: string, now: number, language: Language): string {
  const distance = Date.parse(at) - now;
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  for (const [unit, length] of steps) {
    if (Math.abs(distance) >= length) return format.format(Math.trunc(distance / length), unit);
  }
  return format.format(0, 'second');
}

/** The weekday's name; short for a list of them. */
export function weekdayName(day: string, language: Language, width: 'long' | 'short'): string {
  const index = weekdays.indexOf(day as Weekday);
  if (index < 0) return day;
  const sunday = Date.UTC(2026, 0, 4);
  return new Intl.DateTimeFormat(language, { weekday: width, timeZone: 'UTC' })
    .format(sunday + index * 86_400_000);
}

/** Several weekdays in the order of the week, as the language lists things. */
export function weekdayList(days: readonly string[], language: Language): string {
  const names = weekdays.filter((day) => days.includes(day))
    .map((day) => weekdayName(day, language, 'short'));
  return language === 'ja' ? names.join('・')
    : new Intl.ListFormat(language, { type: 'unit', style: 'short' }).format(names);
}
