import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { countdown, left } from '../api/hubclock';
import { Input } from '../mdc';
import { useHubNow } from '../session';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import { Fact, Facts, Failure, Host, Muted } from '../ui/parts';

interface Asked {
  code: string;
  node: Schemas['HeadlessNode'];
}

/** Approves or denies a node whose administrator has no browser: its shell has printed a code. */
export function HeadlessDialog({ onClose }: { onClose: () => void }) {
  const [asked, setAsked] = useState<Asked | null>(null);
  if (asked) return <Decide {...asked} onClose={onClose} />;
  return <EnterCode onFound={setAsked} onClose={onClose} />;
}

function EnterCode({ onFound, onClose }: {
  onFound: (asked: Asked) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const [code, setCode] = useState('');
  const [tried, setTried] = useState(false);
  const inspect = useAction((body: Schemas['HeadlessCode']) =>
    client.POST('/registrations/headless/inspect', { body }));
  const { failure } = inspect;
  const ours = failure?.field === 'code';
  const submit = () => {
    setTried(true);
    const typed = code.trim();
    if (typed === '') return;
    inspect.run({ code: typed }, (node) => onFound({ code: typed, node }));
  };
  const wrong = tried && code.trim() === '' ? t('required') : ours ? failure.sentence : undefined;
  return (
    <Modal title={t('headless.title')} text={t('headless.text')} submit={t('headless.next')}
      busy={inspect.busy} failure={ours ? null : failure} onSubmit={submit} onClose={onClose}>
      <Input label={t('headless.code')} name="code" required maxlength={32} autocomplete="off"
        autoCapitalize="characters" value={code}
        onInput={(event) => setCode(event.target.value)}
        {...help(wrong, t('headless.codeHelp'))} />
    </Modal>
  );
}

function Decide({ code, node, onClose }: Asked & { onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const now = useHubNow();
  const [name, setName] = useState('');
  const [tried, setTried] = useState(false);
  const approve = useAction((body: Schemas['ApproveHeadless']) =>
    client.POST('/registrations/headless/approve', { body }));
  const deny = useAction(() => client.POST('/registrations/headless/deny', { body: { code } }));
  const remaining = left(node.expires_at, now);
  const ours = approve.failure?.field === 'display_name';
  const missing = tried && name.trim() === '';
  const submit = () => {
    setTried(true);
    deny.reset();
    if (name.trim() === '') return;
    approve.run({ code, display_name: name.trim() }, () => {
      onClose();
      notify(t('headless.approved', { name: name.trim() }));
    });
  };
  const refuse = () => deny.run(undefined, () => {
    onClose();
    notify(t('headless.denied', { fqdn: node.fqdn }));
  });
  return (
    <Modal title={t('headless.decide')} text={t('headless.decideText')}
      submit={t('headless.approve')} busy={approve.busy || deny.busy} blocked={remaining === 0}
      other={{ label: t('headless.deny'), danger: true, onClick: refuse }}
      failure={ours ? deny.failure : approve.failure ?? deny.failure} onSubmit={submit}
      onClose={onClose}>
      <Facts>
        <Fact label={t('headless.fqdn')}><strong><Host name={node.fqdn} /></strong></Fact>
        <Fact label={t('headless.version')}>{node.version || t('none')}</Fact>
        <Fact label={t('headless.clientVersion')}>{node.client_version || t('none')}</Fact>
        <Fact label={t('headless.address')}>{node.address}</Fact>
        <Fact label={t('headless.fingerprint')}>
          <code className="secret">{node.key_fingerprint}</code>
        </Fact>
        <Fact label={t('registration.remaining')}>
          <span role="timer">{countdown(remaining)}</span>
        </Fact>
      </Facts>
      <Muted>{t('headless.compare')}</Muted>
      {remaining === 0 && <Failure failure={{ sentence: t('headless.expired') }} />}
      <Input label={t('add.name')} name="display_name" required value={name} autocomplete="off"
        onInput={(event) => setName(event.target.value)}
        {...help(missing ? t('required') : ours ? approve.failure?.sentence : undefined,
          t('add.nameHelp'))} />
    </Modal>
  );
}
