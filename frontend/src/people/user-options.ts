// What may be offered for a person; the hub decides what it accepts.
import type { Schemas } from '../api/client';
import type { Operation } from '../session';

export type UserOption = 'setRole' | 'disable' | 'enable' | 'resetFactor';

const operationOf: Record<UserOption, Operation> = {
  setRole: 'setRole', disable: 'disableUser', enable: 'enableUser',
  resetFactor: 'resetSecondFactor',
};

/** The roles that people of a tenant may have; the vendor's are given on the command line. */
export const tenantRoles = ['full_admin', 'read_only_admin'] as const;

export function optionsFor(person: Schemas['Person'], permissions: readonly string[]):
UserOption[] {
  const options: UserOption[] = person.disabled ? ['enable'] : ['setRole', 'disable'];
  // one's own second factor is looked after on the account page
  if (person.second_factor && !person.me) options.splice(1, 0, 'resetFactor');
  return options.filter((option) => permissions.includes(operationOf[option]));
}
