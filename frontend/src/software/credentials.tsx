// Manage Download Key: generate (shown once), view, revoke; and identity tokens beside it.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { Button, Input, StaticChip } from '../mdc';
import { useHubNow, useSession } from '../session';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { OnceDialog } from '../ui/once';
import { Muted, Section, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';

type Kind = Schemas['DownloadKind'];
type Credential = Schemas['DownloadCredential'];
type Open = { kind: 'new'; of: Kind } | { kind: 'revoke'; credential: Credential }
  | { kind: 'secret'; made: Schemas['GeneratedDownloadCredential'] } | null;

export function Credentials({ downloads }: { downloads: Schemas['Downloads'] }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const [open, setOpen] = useState<Open>(null);
  const close = () => setOpen(null);
  const items = downloads.credentials;
  const entitled = downloads.entitlements.length > 0;
  return (
    <Section id="keys" title={t('software.manage')} lead={(
      <>
        {t('software.manageLead')}{' '}
        <When at={downloads.lapses_at} zone={zone} />
      </>
    )} actions={entitled && (
      <>
        <Button onClick={() => setOpen({ kind: 'new', of: 'key' })}>
          {t('software.generateKey')}
        </Button>
        <Button variant="secondary" onClick={() => setOpen({ kind: 'new', of: 'identity_token' })}>
          {t('software.generateToken')}
        </Button>
      </>
    )}>
      {items.length === 0 && (
        <Muted>{t(entitled ? 'software.noKey' : 'software.notEntitled')}</Muted>
      )}
      {items.length > 0 && (
        <Table label={t('software.viewAndRevoke')} actions={t('nodes.actions')} columns={[
          t('software.keyName'), t('software.lastFour'), t('software.created'),
          t('software.expires'), t('software.used'),
        ]}>
          {items.map((each) => (
            <Row key={each.id} credential={each}
              onRevoke={() => setOpen({ kind: 'revoke', credential: each })} />
          ))}
        </Table>
      )}
      {open?.kind === 'new' && (
        <Generate kind={open.of} onClose={close}
          onMade={(made) => setOpen({ kind: 'secret', made })} />
      )}
      {open?.kind === 'secret' && (
        <OnceDialog title={t(`software.made.${open.made.credential.kind}`)}
          text={t('software.madeText')} values={[open.made.secret]} onClose={close} />
      )}
      {open?.kind === 'revoke' && <Revoke credential={open.credential} onClose={close} />}
    </Section>
  );
}

function Row({ credential, onRevoke }: { credential: Credential; onRevoke: () => void }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const over = Date.parse(credential.expires_at) <= useHubNow(60_000);
  return (
    <tr role="row" data-key={credential.name}>
      <Cell className="node-name" label={t('software.keyName')}>
        <strong className="breakable">{credential.name}</strong>
        <span className="muted">{t(`software.kind.${credential.kind}`)}</span>
      </Cell>
      <Cell label={t('software.lastFour')}><code>…{credential.last_four}</code></Cell>
      <Cell label={t('software.created')}>
        <When at={credential.created_at} zone={zone} />
      </Cell>
      <Cell label={t('software.expires')}>
        {over ? <StaticChip color="slate" label={t('tokens.expired')} />
          : <When at={credential.expires_at} zone={zone} />}
      </Cell>
      <Cell label={t('software.used')}>
        {credential.last_used_at ? <When at={credential.last_used_at} zone={zone} />
          : t('nodes.never')}
      </Cell>
      <Cell className="node-actions" label={t('nodes.actions')}>
        <Button size={28} variant="secondary" color="negative" onClick={onRevoke}
          aria-label={t('tokens.revokeOf', { name: credential.name })}>
          {t('tokens.revoke')}
        </Button>
      </Cell>
    </tr>
  );
}

function Generate({ kind, onMade, onClose }: { kind: Kind; onClose: () => void;
  onMade: (made: Schemas['GeneratedDownloadCredential']) => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState('');
  const [tried, setTried] = useState(false);
  const generate = useAction(() => client.POST('/account/downloads/credentials', {
    body: { kind, name: name.trim() },
  }));
  const title = t(kind === 'key' ? 'software.generateKey' : 'software.generateToken');
  const { failure } = generate;
  const ours = failure?.field === 'name';
  const missing = tried && name.trim() === '';
  return (
    <Modal title={title} text={t(`software.text.${kind}`)} submit={title} busy={generate.busy}
      failure={ours ? null : failure} onClose={onClose} onSubmit={() => {
        setTried(true);
        if (name.trim() !== '') generate.run(undefined, onMade);
      }}>
      <Input label={t('software.keyName')} name="key_name" required maxlength={128}
        autocomplete="off" value={name} onInput={(event) => setName(event.target.value)}
        {...help(missing ? t('required') : ours ? failure.sentence : undefined,
          t('software.keyNameHelp'))} />
    </Modal>
  );
}

function Revoke({ credential, onClose }: { credential: Credential; onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { name } = credential;
  const revoke = useAction(() => client.DELETE('/account/downloads/credentials/{downloadId}', {
    params: { path: { downloadId: credential.id } },
  }));
  return (
    <Modal danger title={t('software.revokeTitle', { name })} text={t('software.revokeText')}
      submit={t('tokens.revoke')} busy={revoke.busy} failure={revoke.failure} onClose={onClose}
      onSubmit={() => revoke.run(undefined, () => {
        onClose();
        notify(t('software.revoked', { name }));
      })} />
  );
}
