// A pair of schedules while it is being edited: text as typed, until it is sent to the hub, which
// is the judge. There is nothing here to switch a schedule off with.
import type { Schemas } from '../api/client';
import { weekdays } from '../text/time';

export interface Draft {
  zone: string;
  time: string;
  daily: boolean;
  days: string[];
  length: number;
  emergencyTime: string;
  emergencyLength: number;
}

export type DraftField = 'zone' | 'time' | 'days' | 'length' | 'emergencyTime' | 'emergencyLength';

/** What to say about a field: a key of the texts in `schedule`. */
export type DraftErrors = Partial<Record<DraftField, 'timeWrong' | 'daysWrong' | 'zoneWrong'>>;

export const lengths = [30, 60, 90, 120, 180, 240, 360, 480, 720] as const;

export function draftOf(schedules: Schemas['Schedules']): Draft {
  const days = weekdays.filter((day) => schedules.regular.days.includes(day));
  return {
    zone: schedules.zone,
    time: schedules.regular.time,
    daily: days.length === weekdays.length,
    days,
    length: schedules.regular.length_minutes,
    emergencyTime: schedules.emergency.time,
    emergencyLength: schedules.emergency.length_minutes,
  };
}

export function schedulesOf(draft: Draft): Schemas['Schedules'] {
  const days = draft.daily ? [...weekdays] : weekdays.filter((day) => draft.days.includes(day));
  return {
    zone: draft.zone.trim(),
    regular: { time: tidyTime(draft.time), days, length_minutes: draft.length },
    emergency: { time: tidyTime(draft.emergencyTime), length_minutes: draft.emergencyLength },
  };
}

/** HH:MM of what people type: "3:05", "0305" and full-width digits too. Otherwise unchanged. */
export function tidyTime(typed: string): string {
  const plain = typed.normalize('NFKC').trim();
  const match = /^(\d{1,2}):?(\d{2})$/.exec(plain);
  return match ? `${match[1]!.padStart(2, '0')}:${match[2]}` : plain;
}

export function checkDraft(draft: Draft, zones: readonly string[]): DraftErrors {
  const errors: DraftErrors = {};
  const clock = /^([01]\d|2[0-3]):[0-5]\d$/;
  if (!clock.test(tidyTime(draft.time))) errors.time = 'timeWrong';
  if (!clock.test(tidyTime(draft.emergencyTime))) errors.emergencyTime = 'timeWrong';
  if (!draft.daily && draft.days.length === 0) errors.days = 'daysWrong';
  const known = zones.length === 0 || zones.includes(draft.zone.trim());
  if (draft.zone.trim() === '' || !known) errors.zone = 'zoneWrong';
  return errors;
}

/** Which settings differ, in the order of the form. */
export function changes(before: Schemas['Schedules'], after: Schemas['Schedules']): DraftField[] {
  const changed: DraftField[] = [];
  if (before.regular.time !== after.regular.time) changed.push('time');
  if (!sameDays(before.regular.days, after.regular.days)) changed.push('days');
  if (before.regular.length_minutes !== after.regular.length_minutes) changed.push('length');
  if (before.emergency.time !== after.emergency.time) changed.push('emergencyTime');
  if (before.emergency.length_minutes !== after.emergency.length_minutes) {
    changed.push('emergencyLength');
  }
  if (before.zone !== after.zone) changed.push('zone');
  return changed;
}

function sameDays(one: readonly string[], other: readonly string[]): boolean {
  const days = new Set(one);
  return days.size === new Set(other).size && other.every((day) => days.has(day));
}

const fields: Record<string, DraftField> = {
  zone: 'zone',
  'regular.time': 'time',
  'regular.days': 'days',
  'regular.length_minutes': 'length',
  'emergency.time': 'emergencyTime',
  'emergency.length_minutes': 'emergencyLength',
};

/** The field of the form that the hub refused. */
export function refusedField(field: string | undefined): DraftField | undefined {
  return field === undefined ? undefined : fields[field];
}
