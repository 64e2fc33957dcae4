import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useExplain } from '../api/action';
import { api, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, MenuItem, MenuPopover, StaticChip } from '../mdc';
import { usePermitted, useSession } from '../session';
import { Place } from '../shell/trail';
import { Failure, H1, Loading, Muted, Section, useTitle, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';
import { Invitations } from './invitations';
import { optionsFor, type UserOption } from './user-options';
import { ResetDialog, RoleDialog, SwitchDialog } from './user-dialogs';

/** The people of the organization, and those who are invited. */
export default function UsersPage() {
  const { t } = useTranslation();
  const explained = useExplain();
  const users = api.useQuery('get', '/users', {}, { refetchInterval: usePollInterval() });
  const maySeeInvitations = usePermitted('listInvitations');
  useTitle(t('users.title'));
  const { permissions } = useSession();
  const items = users.data?.items ?? [];
  const anyOption = items.some((person) => optionsFor(person, permissions).length > 0);
  return (
    <div className="page">
      <Place group={t('shell.management')} page={t('users.title')} />
      <div className="page-head">
        <div>
          <H1>{t('users.title')}</H1>
          <Muted>{t('users.lead')}</Muted>
        </div>
      </div>
      {users.isPending && <Loading />}
      {!users.data && users.error && <Failure failure={explained(users.error)} />}
      {items.length > 0 && (
        <Section id="users" title={t('users.people')}>
          <Table label={t('users.people')} actions={anyOption ? t('nodes.actions') : undefined}
            columns={[t('users.name'), t('users.role'), t('users.state'), t('users.factor'),
              t('users.signedIn')]}>
            {items.map((person) => <Row key={person.id} person={person} controls={anyOption} />)}
          </Table>
        </Section>
      )}
      {maySeeInvitations && <Invitations />}
    </div>
  );
}

function Row({ person, controls }: { person: Schemas['Person']; controls: boolean }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  return (
    <tr role="row" data-user={person.email} data-role={person.role}>
      <Cell className="node-name" label={t('users.name')}>
        <strong className="breakable">{person.name}</strong>
        <span className="muted breakable">{person.email}</span>
      </Cell>
      <Cell label={t('users.role')}>{t(`role.${person.role}`)}</Cell>
      <Cell label={t('users.state')}>
        <div className="chips">
          <StaticChip color={person.disabled ? 'slate' : 'mint'}
            label={person.disabled ? t('users.disabled') : t('users.active')} />
          {person.me && <StaticChip color="cobalt" label={t('users.me')} />}
        </div>
      </Cell>
      <Cell label={t('users.factor')}>
        {person.second_factor ? t('users.hasFactor') : t('users.noFactor')}
      </Cell>
      <Cell label={t('users.signedIn')}>
        {person.last_signed_in_at ? <When at={person.last_signed_in_at} zone={zone} />
          : t('nodes.never')}
      </Cell>
      {controls && (
        <Cell className="node-actions" label={t('nodes.actions')}><Actions person={person} /></Cell>
      )}
    </tr>
  );
}

function Actions({ person }: { person: Schemas['Person'] }) {
  const { t } = useTranslation();
  const { permissions } = useSession();
  const [open, setOpen] = useState<UserOption | null>(null);
  const options = optionsFor(person, permissions);
  if (options.length === 0) return null;
  const close = () => setOpen(null);
  const id = `actions-${person.id}`;
  const name = t('nodes.actionsOf', { name: person.name });
  return (
    <>
      <Button id={id} variant="tertiary" size={28} prefixIcon="more-bold" aria-label={name} />
      <MenuPopover triggerID={id} placement="bottom-end" aria-label={name}>
        {options.map((option) => (
          <MenuItem key={option} label={t(`users.${option}`)} onClick={() => setOpen(option)} />
        ))}
      </MenuPopover>
      {open === 'setRole' && <RoleDialog person={person} onClose={close} />}
      {(open === 'disable' || open === 'enable') && (
        <SwitchDialog person={person} onClose={close} />
      )}
      {open === 'resetFactor' && <ResetDialog person={person} onClose={close} />}
    </>
  );
}
