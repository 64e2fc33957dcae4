import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client } from '../api/client';
import { Input, Text } from '../mdc';
import { help } from '../ui/help';
import { Modal } from '../ui/modal';
import { Muted } from '../ui/parts';

export interface Prefill {
  name?: string;
  fqdn?: string;
  /** The ended registration that a new one takes the place of. */
  replaces?: string;
}

/** Asks for a display name and the publisher's FQDN, and goes to the publisher's page. */
export function AddDialog({ prefill, onClose }: { prefill: Prefill; onClose: () => void }) {
  const { t } = useTranslation();
  const [name, setName] = useState(prefill.name ?? '');
  const [fqdn, setFqdn] = useState(prefill.fqdn ?? '');
  const [tried, setTried] = useState(false);
  const register = useAction((body: { display_name: string; fqdn: string }) =>
    client.POST('/registrations', { body }));
  const { failure } = register;
  const submit = () => {
    setTried(true);
    if (name.trim() === '' || fqdn.trim() === '') return;
    register.run({ display_name: name.trim(), fqdn: fqdn.trim() }, async ({ open_url }) => {
      if (prefill.replaces) await dismiss(prefill.replaces);
      if (open_url) location.assign(open_url);
      else onClose();
    });
  };
  const problem = (field: string, value: string) => {
    if (tried && value.trim() === '') return t('required');
    return failure?.field === field ? failure.sentence : undefined;
  };
  const elsewhere = failure && failure.field !== 'display_name' && failure.field !== 'fqdn';
  return (
    <Modal title={prefill.replaces ? t('add.again') : t('add.title')} submit={t('add.submit')}
      busy={register.busy} failure={elsewhere ? failure : null} onSubmit={submit}
      onClose={onClose}>
      <Prerequisites />
      <Input label={t('add.name')} name="display_name" required value={name} autocomplete="off"
        onInput={(event) => setName(event.target.value)}
        {...help(problem('display_name', name), t('add.nameHelp'))} />
      <Input label={t('add.fqdn')} name="fqdn" required value={fqdn} autocomplete="off"
        autoCapitalize="off" placeholder={t('add.fqdnPlaceholder')}
        onInput={(event) => setFqdn(event.target.value)} {...help(problem('fqdn', fqdn))} />
      <Muted>{t('add.then')}</Muted>
    </Modal>
  );
}

/** Best effort: the ended card may stay, it only lingers for a day. */
async function dismiss(id: string): Promise<void> {
  await client.DELETE('/registrations/{registrationId}', {
    params: { path: { registrationId: id } },
  }).catch(() => undefined);
}

function Prerequisites() {
  const { t } = useTranslation();
  return (
    <div className="prerequisites">
      <Text tagname="p" type="body-midsize-bold">{t('add.before')}</Text>
      <ul>
        <li>{t('add.fqdnReady')}</li>
        <li>{t('add.sameNetwork')}</li>
        <li>{t('add.proxy')}</li>
      </ul>
    </div>
  );
}
