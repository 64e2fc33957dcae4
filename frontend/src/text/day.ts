// Civil days as instants: when a day begins in a zone.
import { knownZone } from './time';

/** How far the zone's clocks are ahead of UTC at an instant, in milliseconds. */
function ahead(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: knownZone(zone), hourCycle: 'h23', year: 'numeric', month: 'numeric',
    day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
  }).formatToParts(at);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((each) => each.type === type)?.value);
  const shown = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'),
    part('minute'), part('second'));
  return shown - Math.floor(at / 1000) * 1000;
}

/** The beginning of a day that is written YYYY-MM-DD; undefined when it is no day. */
export function dayBegins(day: string, zone: string): Date | undefined {
  const written = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  const midnight = written ? Date.parse(`${day}T00:00:00Z`) : NaN;
  if (Number.isNaN(midnight)) return undefined;
  const guess = midnight - ahead(midnight, zone);
  return new Date(midnight - ahead(guess, zone));
}

/** The day after, written the same way. */
export function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

/** The day that the zone's calendars show at an instant. */
export function dayOf(at: number, zone: string): string {
  return new Date(at + ahead(at, zone)).toISOString().slice(0, 10);
}
