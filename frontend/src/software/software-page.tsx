import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Banner, Button, StaticChip } from '../mdc';
import { useSession } from '../session';
import { size } from '../text/size';
import { Modal } from '../ui/modal';
import { useNotify } from '../ui/notices';
import {
  Failure, H1, Loading, Muted, Section, useLanguage, useTitle, When,
} from '../ui/parts';
import { Cell, Table } from '../ui/table';
import { Credentials } from './credentials';

type Downloads = Schemas['Downloads'];

/** What the vendor offers for download, and what opens it: agreement, contracts, keys, tokens. */
export default function SoftwarePage() {
  const { t } = useTranslation();
  const explained = useExplain();
  const downloads = api.useQuery('get', '/account/downloads', {}, {
    refetchInterval: usePollInterval(),
  });
  useTitle(t('software.title'));
  const { data } = downloads;
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <H1>{t('software.title')}</H1>
          <Muted>{t('software.lead')}</Muted>
        </div>
      </div>
      {downloads.isPending && <Loading />}
      {!data && downloads.error && <Failure failure={explained(downloads.error)} />}
      {data && <Agreement eula={data.eula} />}
      {data && <Credentials downloads={data} />}
      {data && <Entitlements items={data.entitlements} />}
      {data && <Files items={data.files} />}
    </div>
  );
}

function Agreement({ eula }: { eula?: Schemas['Eula'] }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  const [open, setOpen] = useState(false);
  return (
    <Section id="eula" title={t('software.eula')} actions={eula && (
      <Button variant={eula.accepted_at ? 'secondary' : 'primary'} onClick={() => setOpen(true)}>
        {t(eula.accepted_at ? 'software.read' : 'software.readAndAccept')}
      </Button>
    )}>
      {!eula && <Muted>{t('software.noEula')}</Muted>}
      {eula && !eula.accepted_at && (
        <Banner variant="warning" className="banner"
          label={t('software.notAccepted', { version: eula.version })}
          secondaryLabel={t('software.notAcceptedText')} />
      )}
      {eula?.accepted_at && (
        <p>
          {t('software.accepted', { version: eula.version })}{' '}
          <When at={eula.accepted_at} zone={zone} />
        </p>
      )}
      {open && eula && <Reading eula={eula} onClose={() => setOpen(false)} />}
    </Section>
  );
}

function Reading({ eula, onClose }: { eula: Schemas['Eula']; onClose: () => void }) {
  const { t } = useTranslation();
  const notify = useNotify();
  const { version } = eula;
  const accept = useAction(() => client.POST('/account/downloads/eula', { body: { version } }));
  const text = (
    <div className="agreement" tabIndex={0} role="document" aria-label={t('software.eula')}>
      {eula.text}
    </div>
  );
  const title = t('software.eulaVersion', { version });
  if (eula.accepted_at) {
    return <Modal title={title} size="large" closes={t('close')} onClose={onClose}>{text}</Modal>;
  }
  return (
    <Modal title={title} size="large" submit={t('software.accept')} busy={accept.busy}
      failure={accept.failure} onClose={onClose} onSubmit={() => accept.run(undefined, () => {
        onClose();
        notify(t('software.acceptedNow', { version }));
      })}>
      {text}
    </Modal>
  );
}

function Entitlements({ items }: { items: Downloads['entitlements'] }) {
  const { t } = useTranslation();
  const { zone } = useSession().organization;
  return (
    <Section id="entitlements" title={t('software.entitlements')}
      lead={t('software.entitlementsLead')}>
      {items.length === 0 && <Muted>{t('software.noEntitlement')}</Muted>}
      {items.length > 0 && (
        <Table label={t('software.entitlements')} columns={[t('software.contract'),
          t('software.products'), t('software.export'), t('software.validUntil')]}>
          {items.map((item) => (
            <tr role="row" key={item.id}>
              <Cell label={t('software.contract')}>
                {item.reference} <StaticChip color="default" label={t(`software.${item.kind}`)} />
              </Cell>
              <Cell label={t('software.products')}>
                {item.products.map((each) => (each === '*' ? t('software.allProducts') : each))
                  .join(', ')}
              </Cell>
              <Cell label={t('software.export')}>
                {t(item.export_cleared ? 'software.cleared' : 'software.notCleared')}
              </Cell>
              <Cell label={t('software.validUntil')}>
                <When at={item.valid_until} zone={zone} />
              </Cell>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}

function Files({ items }: { items: Downloads['files'] }) {
  const { t } = useTranslation();
  const language = useLanguage();
  return (
    <Section id="files" title={t('software.files')} lead={t('software.filesLead')}>
      {items.length === 0 && <Muted>{t('software.noFiles')}</Muted>}
      {items.length > 0 && (
        <Table label={t('software.files')} columns={[t('software.file'), t('software.product'),
          t('software.version'), t('software.export'), t('software.size')]}>
          {items.map((file) => (
            <tr role="row" key={`${file.repository}/${file.path}`}>
              <Cell className="node-name" label={t('software.file')}>
                <code>{file.path}</code>
                <span className="muted breakable">{file.repository}</span>
              </Cell>
              <Cell label={t('software.product')}>{file.product}</Cell>
              <Cell label={t('software.version')}>{file.version}</Cell>
              <Cell label={t('software.export')}>
                {t(file.restricted ? 'software.restricted' : 'software.unrestricted')}
              </Cell>
              <Cell label={t('software.size')}>{size(file.size, language)}</Cell>
            </tr>
          ))}
        </Table>
      )}
    </Section>
  );
}
