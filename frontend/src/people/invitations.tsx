import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, Input } from '../mdc';
import { usePermitted, useSession } from '../session';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { OnceDialog } from '../ui/once';
import { Failure, Loading, Muted, Section, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';
import { RoleChoice } from './user-dialogs';

type Open = { kind: 'invite' } | { kind: 'link'; created: Schemas['CreatedInvitation'] } | null;

/** Who is invited and has not come yet; the link is shown once, to be sent by hand. */
export function Invitations() {
  const { t } = useTranslation();
  const explained = useExplain();
  const [open, setOpen] = useState<Open>(null);
  const mayInvite = usePermitted('invite');
  const invitations = api.useQuery('get', '/invitations', {}, {
    refetchInterval: usePollInterval(),
  });
  const items = invitations.data?.items ?? [];
  const close = () => setOpen(null);
  return (
    <Section id="invitations" title={t('invitations.title')} lead={t('invitations.lead')}
      actions={mayInvite && (
        <Button prefixIcon="plus-regular" onClick={() => setOpen({ kind: 'invite' })}>
          {t('invitations.invite')}
        </Button>
      )}>
      {invitations.isPending && <Loading />}
      {!invitations.data && invitations.error && (
        <Failure failure={explained(invitations.error)} />
      )}
      {invitations.data && items.length === 0 && <Muted>{t('invitations.none')}</Muted>}
      {items.length > 0 && (
        <Table label={t('invitations.title')} actions={t('nodes.actions')} columns={[
          t('signIn.email'), t('users.role'), t('invitations.by'), t('invitations.until'),
        ]}>
          {items.map((item) => <Row key={item.id} item={item} />)}
        </Table>
      )}
      {open?.kind === 'invite' && (
        <InviteDialog onClose={close} onInvited={(created) => setOpen({ kind: 'link', created })} />
      )}
      {open?.kind === 'link' && (
        <OnceDialog title={t('invitations.linkTitle', { email: open.created.invitation.email })}
          text={t('invitations.linkText')} values={[open.created.link]} onClose={close} />
      )}
    </Section>
  );
}

function Row({ item }: { item: Schemas['Invitation'] }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { zone } = useSession().organization;
  const mayWithdraw = usePermitted('withdrawInvitation');
  const { email } = item;
  const withdraw = useAction(() => client.DELETE('/invitations/{invitationId}', {
    params: { path: { invitationId: item.id } },
  }));
  return (
    <tr role="row" data-invitation={email}>
      <Cell className="node-name" label={t('signIn.email')}>
        <strong className="breakable">{email}</strong>
      </Cell>
      <Cell label={t('users.role')}>{t(`role.${item.role}`)}</Cell>
      <Cell label={t('invitations.by')}><span className="breakable">{item.invited_by}</span></Cell>
      <Cell label={t('invitations.until')}><When at={item.expires_at} zone={zone} /></Cell>
      <Cell className="node-actions" label={t('nodes.actions')}>
        {mayWithdraw && (
          <Button size={28} variant="secondary" disabled={withdraw.busy}
            aria-label={t('invitations.withdrawOf', { email })}
            onClick={() => withdraw.run(undefined,
              () => notify(t('invitations.withdrawn', { email })))}>
            {t('invitations.withdraw')}
          </Button>
        )}
        <Failure failure={withdraw.failure} />
      </Cell>
    </tr>
  );
}

function InviteDialog({ onInvited, onClose }: {
  onInvited: (created: Schemas['CreatedInvitation']) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Schemas['Role']>('read_only_admin');
  const [tried, setTried] = useState(false);
  const invite = useAction((body: Schemas['NewInvitation']) =>
    client.POST('/invitations', { body }));
  const { failure } = invite;
  const submit = () => {
    setTried(true);
    if (email.trim() !== '') invite.run({ email: email.trim(), role }, onInvited);
  };
  const ours = failure?.field === 'email';
  const missing = tried && email.trim() === '';
  return (
    <Modal title={t('invitations.invite')} text={t('invitations.inviteText')}
      submit={t('invitations.invite')} busy={invite.busy} failure={ours ? null : failure}
      onSubmit={submit} onClose={onClose}>
      <Input label={t('signIn.email')} name="invitee" required maxlength={254}
        autocomplete="off" autoCapitalize="off" value={email}
        onInput={(event) => setEmail(event.target.value)}
        {...help(missing ? t('required') : ours ? failure.sentence : undefined)} />
      <RoleChoice role={role} onChoose={setRole} />
    </Modal>
  );
}
