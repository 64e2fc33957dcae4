import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAction, useExplain } from '../api/action';
import { api, client, type Schemas } from '../api/client';
import { usePollInterval } from '../api/live';
import { Button, StaticChip, Toggle } from '../mdc';
import { usePermitted } from '../session';
import { Place } from '../shell/trail';
import { Choice } from '../ui/choice';
import { useNotify } from '../ui/notices';
import { Fact, Facts, Failure, H1, Loading, Muted, Section, useTitle } from '../ui/parts';
import { ZoneChoice } from '../ui/zone-choice';

/** The organization: what its operator has set, and what its administrators may. */
export default function OrganizationPage() {
  const { t } = useTranslation();
  const explained = useExplain();
  const organization = api.useQuery('get', '/organization', {}, {
    refetchInterval: usePollInterval(),
  });
  const mayChange = usePermitted('saveOrganization');
  useTitle(t('organization.title'));
  return (
    <div className="page">
      <Place group={t('shell.management')} page={t('organization.title')} />
      <div className="page-head">
        <div>
          <H1>{t('organization.title')}</H1>
          <Muted>{t('organization.lead')}</Muted>
        </div>
      </div>
      {organization.isPending && <Loading />}
      {!organization.data && organization.error && (
        <Failure failure={explained(organization.error)} />
      )}
      {organization.data && <Identity organization={organization.data} />}
      {organization.data && (mayChange ? <Settings organization={organization.data} />
        : <ReadOnly organization={organization.data} />)}
    </div>
  );
}

interface Props {
  organization: Schemas['OrganizationDetails'];
}

/** What only the operator of the hub can change. */
function Identity({ organization: { name, domain, oidc } }: Props) {
  const { t } = useTranslation();
  return (
    <Section id="identity" title={name} lead={t('organization.identityText')}>
      <Facts>
        <Fact label={t('organization.domain')}>
          {domain ? (
            <span className="chips">
              {domain}<StaticChip color="mint" label={t('organization.verified')} />
            </span>
          ) : t('organization.noDomain')}
        </Fact>
        <Fact label={t('organization.provider')}>
          {oidc ? oidc.issuer : t('organization.noProvider')}
        </Fact>
        {oidc && (
          <>
            <Fact label={t('organization.client')}>{oidc.client_id}</Fact>
            <Fact label={t('organization.passwords')}>
              {oidc.required ? t('organization.passwordsRefused')
                : t('organization.passwordsAllowed')}
            </Fact>
          </>
        )}
      </Facts>
    </Section>
  );
}

function ReadOnly({ organization }: Props) {
  const { t } = useTranslation();
  const demanded = (is: boolean) => t(is ? 'organization.yes' : 'organization.no');
  return (
    <Section id="settings" title={t('organization.settings')} lead={t('role.readOnly')}>
      <Facts>
        <Fact label={t('schedule.zone')}>{organization.zone}</Fact>
        <Fact label={t('organization.language')}>{t(`organization.${organization.language}`)}</Fact>
        <Fact label={t('organization.comparison')}>
          {demanded(organization.require_comparison_code)}
        </Fact>
        <Fact label={t('organization.factor')}>
          {demanded(organization.require_second_factor)}
        </Fact>
      </Facts>
    </Section>
  );
}

type Draft = Schemas['SaveOrganization'];

function draftOf(details: Schemas['OrganizationDetails']): Draft {
  const { zone, language, require_comparison_code, require_second_factor } = details;
  return { zone, language, require_comparison_code, require_second_factor };
}

/** What is changed is kept while the page is refreshed around it. */
function Settings({ organization }: Props) {
  const { t } = useTranslation();
  const notify = useNotify();
  const zones = api.useQuery('get', '/zones', {}, { staleTime: Infinity });
  const [draft, setDraft] = useState<Draft | null>(null);
  const [resets, setResets] = useState(0);
  const save = useAction((body: Draft) => client.PUT('/organization', { body }));
  const stored = draftOf(organization);
  const shown = draft ?? stored;
  const changed = (Object.keys(stored) as (keyof Draft)[])
    .some((key) => shown[key] !== stored[key]);
  const edit = (part: Partial<Draft>) => {
    save.reset();
    setDraft({ ...shown, ...part });
  };
  const reset = () => {
    save.reset();
    setDraft(null);
    setResets(resets + 1);
  };
  const toggle = (key: 'require_comparison_code' | 'require_second_factor', label: string,
    text: string) => (
    <Toggle label={label} helpText={text} checked={shown[key]}
      onChange={(event) => edit({ [key]: event.target.checked })} />
  );
  return (
    <Section id="settings" title={t('organization.settings')}>
      <div className="stack form">
        <ZoneChoice key={resets} label={t('schedule.zone')} value={shown.zone}
          zones={zones.data?.items ?? []}
          help={t('organization.zoneText')}
          error={save.failure?.field === 'zone' ? save.failure.sentence : undefined}
          onChoose={(zone) => edit({ zone })} />
        <Choice label={t('organization.language')} value={shown.language}
          options={[{ value: 'en', label: t('organization.en') },
            { value: 'ja', label: t('organization.ja') }]}
          onChoose={(language) => edit({ language })} />
        {toggle('require_comparison_code', t('organization.comparison'),
          t('organization.comparisonText'))}
        {toggle('require_second_factor', t('organization.factor'), t('organization.factorText'))}
        <Failure failure={save.failure?.field === 'zone' ? null : save.failure} />
        <div className="actions">
          <Button disabled={!changed || save.busy} onClick={() => save.run(shown, () => {
            reset();
            notify(t('organization.saved'));
          })}>
            {t('schedule.save')}
          </Button>
          {changed && (
            <Button variant="secondary" onClick={reset}>{t('schedule.reset')}</Button>
          )}
        </div>
      </div>
    </Section>
  );
}
