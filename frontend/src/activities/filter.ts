// Which audit records are asked for.
import type { paths } from '../api/schema';
import { dayAfter, dayBegins } from '../text/day';

export type Query = paths['/audit']['get']['parameters']['query'];

/** The last so many days, or a range of days. */
const days = { day: 1, week: 7, month: 30, year: 365 };
export type Period = keyof typeof days | 'range';
export const periods: Period[] = ['day', 'week', 'month', 'year', 'range'];

export interface Filter {
  period: Period;
  first: string;
  last: string;
  actor: string;
  category: string;
  target: string;
  cluster: string;
}

export const everything: Filter = {
  period: 'week', first: '', last: '', actor: '', category: '', target: '', cluster: '',
};

const day = 86_400_000;
const clocksDiffer = 60_000;

/** The hub's parameters, or nothing while the range of days is not complete. */
export function queryOf(filter: Filter, now: number, zone: string): Query | undefined {
  const range = rangeOf(filter, now, zone);
  if (!range) return undefined;
  const query: Query = { from: range[0].toISOString(), to: range[1].toISOString() };
  if (filter.actor.trim() !== '') query.actor = filter.actor.trim();
  if (filter.target.trim() !== '') query.target = filter.target.trim();
  if (filter.category !== '') query.categories = filter.category;
  if (filter.cluster !== '') query.cluster_id = filter.cluster;
  return query;
}

function rangeOf(filter: Filter, now: number, zone: string): [Date, Date] | undefined {
  if (filter.period !== 'range') {
    // a record of this very second is wanted too, whoever's clock it bears
    const end = now + clocksDiffer;
    return [new Date(end - days[filter.period] * day), new Date(end)];
  }
  const first = dayBegins(filter.first, zone);
  const last = dayBegins(filter.last, zone);
  if (!first || !last || last < first) return undefined;
  const end = dayBegins(dayAfter(filter.last), zone);
  return end && [first, end];
}

/** What changed, field by field, with values as people can read them. */
export function comparison(before: object | undefined, after: object | undefined):
{ field: string; before: string; after: string }[] {
  const left = Object.entries(before ?? {});
  const right = Object.entries(after ?? {});
  const fields = [...new Set([...left, ...right].map(([field]) => field))];
  const value = (entries: [string, unknown][], field: string) => {
    const found = entries.find(([name]) => name === field);
    if (!found || found[1] === null || found[1] === '') return '';
    return typeof found[1] === 'string' ? found[1] : JSON.stringify(found[1]);
  };
  return fields.map((field) => ({
    field, before: value(left, field), after: value(right, field),
  }));
}
