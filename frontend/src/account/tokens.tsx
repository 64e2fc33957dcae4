import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, Checkbox, Input, StaticChip } from '../mdc';
import { useHubNow, useSession } from '../session';
import { Choice } from '../ui/choice';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { OnceDialog } from '../ui/once';
import { Failure, Loading, Muted, Section, When } from '../ui/parts';
import { Cell, Table } from '../ui/table';
import { daysOffered, scopeKey, scopesFor, usualDays } from './scopes';

type Open = { kind: 'new' } | { kind: 'secret'; created: Schemas['CreatedToken'] }
  | { kind: 'revoke'; token: Schemas['Token'] } | null;

/** Personal API tokens: made with scopes and an end, shown once, revoked at any time. */
export function Tokens() {
  const { t } = useTranslation();
  const explained = useExplain();
  const [open, setOpen] = useState<Open>(null);
  const tokens = api.useQuery('get', '/account/tokens', {}, {
    refetchInterval: usePollInterval(),
  });
  const items = tokens.data?.items ?? [];
  const close = () => setOpen(null);
  return (
    <Section id="tokens" title={t('tokens.title')} lead={t('tokens.lead')} actions={(
      <Button variant="secondary" prefixIcon="plus-regular"
        onClick={() => setOpen({ kind: 'new' })}>
        {t('tokens.create')}
      </Button>
    )}>
      {tokens.isPending && <Loading />}
      {!tokens.data && tokens.error && <Failure failure={explained(tokens.error)} />}
      {tokens.data && items.length === 0 && <Muted>{t('tokens.none')}</Muted>}
      {items.length > 0 && (
        <Table label={t('tokens.title')} actions={t('nodes.actions')} columns={[
          t('tokens.name'), t('tokens.scopes'), t('tokens.expires'), t('tokens.used'),
        ]}>
          {items.map((token) => (
            <Row key={token.id} token={token} onRevoke={() => setOpen({ kind: 'revoke', token })} />
          ))}
        </Table>
      )}
      {open?.kind === 'new' && (
        <NewToken onClose={close} onCreated={(created) => setOpen({ kind: 'secret', created })} />
      )}
      {open?.kind === 'secret' && (
        <OnceDialog title={t('tokens.createdTitle', { name: open.created.token.name })}
          text={t('tokens.createdText')} values={[open.created.secret]} onClose={close} />
      )}
      {open?.kind === 'revoke' && <Revoke token={open.token} onClose={close} />}
    </Section>
  );
}

function Row({ token, onRevoke }: { token: Schemas['Token']; onRevoke: () => void }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const now = useHubNow(60_000);
  const expired = Date.parse(token.expires_at) <= now;
  return (
    <tr role="row" data-token={token.name}>
      <Cell className="node-name" label={t('tokens.name')}>
        <strong className="breakable">{token.name}</strong>
        <code className="muted">{token.prefix}…</code>
      </Cell>
      <Cell label={t('tokens.scopes')}>
        <div className="chips">
          {token.scopes.map((scope) => (
            <StaticChip key={scope} color="default" label={t(`scope.${scopeKey(scope)}`)} />
          ))}
        </div>
      </Cell>
      <Cell label={t('tokens.expires')}>
        {expired ? <StaticChip color="slate" label={t('tokens.expired')} />
          : <When at={token.expires_at} zone={zone} />}
      </Cell>
      <Cell label={t('tokens.used')}>
        {token.last_used_at ? <When at={token.last_used_at} zone={zone} /> : t('nodes.never')}
      </Cell>
      <Cell className="node-actions" label={t('nodes.actions')}>
        <Button size={28} variant="secondary" color="negative" onClick={onRevoke}
          aria-label={t('tokens.revokeOf', { name: token.name })}>
          {t('tokens.revoke')}
        </Button>
      </Cell>
    </tr>
  );
}

function NewToken({ onCreated, onClose }: {
  onCreated: (created: Schemas['CreatedToken']) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const offered = scopesFor(useSession().permissions);
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<Schemas['TokenScope'][]>([]);
  const [days, setDays] = useState(usualDays);
  const [tried, setTried] = useState(false);
  const create = useAction((body: Schemas['NewToken']) =>
    client.POST('/account/tokens', { body }));
  const submit = () => {
    setTried(true);
    if (name.trim() === '' || scopes.length === 0) return;
    create.run({ name: name.trim(), scopes, days }, onCreated);
  };
  const { failure } = create;
  const ours = failure?.field === 'name';
  const missing = tried && name.trim() === '';
  return (
    <Modal title={t('tokens.create')} text={t('tokens.createText')} submit={t('tokens.create')}
      busy={create.busy} failure={ours ? null : failure} onSubmit={submit} onClose={onClose}>
      <Input label={t('tokens.name')} name="token_name" required maxlength={128}
        autocomplete="off" value={name} onInput={(event) => setName(event.target.value)}
        {...help(missing ? t('required') : ours ? failure.sentence : undefined,
          t('tokens.nameHelp'))} />
      <div role="group" aria-label={t('tokens.scopes')} className="scopes">
        <span className="muted">{t('tokens.scopes')}</span>
        {offered.map((scope) => (
          <Checkbox key={scope} name="scope" value={scope}
            label={t(`scope.${scopeKey(scope)}`)} checked={scopes.includes(scope)}
            onChange={(event) => setScopes(event.target.checked
              ? [...scopes, scope] : scopes.filter((other) => other !== scope))} />
        ))}
        <p role="alert" className="wrong">
          {tried && scopes.length === 0 && t('tokens.scopeMissing')}
        </p>
      </div>
      <Choice label={t('tokens.days')} value={days} onChoose={setDays}
        options={daysOffered.map((count) => ({
          value: count, label: t('node.days', { count }),
        }))} />
    </Modal>
  );
}

function Revoke({ token, onClose }: { token: Schemas['Token']; onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { name } = token;
  const revoke = useAction(() => client.DELETE('/account/tokens/{tokenId}', {
    params: { path: { tokenId: token.id } },
  }));
  return (
    <Modal danger title={t('tokens.revokeTitle', { name })} text={t('tokens.revokeText')}
      submit={t('tokens.revoke')} busy={revoke.busy} failure={revoke.failure} onClose={onClose}
      onSubmit={() => revoke.run(undefined, () => {
        onClose();
        notify(t('tokens.revoked', { name }));
      })} />
  );
}
