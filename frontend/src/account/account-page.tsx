import { useTranslation } from 'react-i18next';
import { useExplain } from '../api/action';
import { api } from '../api/client';
import { usePollInterval } from '../api/live';
import { Banner } from '../mdc';
import { useSession } from '../session';
import { Fact, Facts, Failure, H1, Loading, Muted, Section, useTitle } from '../ui/parts';
import { PasswordForm } from './password-form';
import { SecondFactor } from './second-factor';
import { Sessions } from './sessions';
import { Tokens } from './tokens';

/** The signed-in person's own things: password, second factor, sessions, API tokens. */
export default function AccountPage() {
  const { t } = useTranslation();
  const explained = useExplain();
  const { organization, user, second_factor_missing: missing } = useSession();
  const account = api.useQuery('get', '/account', {}, { refetchInterval: usePollInterval() });
  useTitle(t('account.title'));
  return (
    <div className="page">
      <div className="page-head">
        <div>
          <H1>{t('account.title')}</H1>
          <Muted>{t('account.lead')}</Muted>
        </div>
      </div>
      {missing && (
        <Banner variant="warning" className="banner" label={t('account.missing')}
          secondaryLabel={t('account.missingText')} />
      )}
      <Section id="person" title={user.name}>
        <Facts>
          <Fact label={t('signIn.email')}>{user.email}</Fact>
          <Fact label={t('users.role')}>{t(`role.${user.role}`)}</Fact>
          <Fact label={t('account.organization')}>{organization.name}</Fact>
          {account.data && (
            <Fact label={t('account.method')}>{t(`account.by.${account.data.method}`)}</Fact>
          )}
        </Facts>
      </Section>
      {account.isPending && <Loading />}
      {!account.data && account.error && <Failure failure={explained(account.error)} />}
      {account.data?.method === 'password' && <SecondFactor account={account.data} />}
      {account.data?.method === 'password' && !missing && <PasswordForm account={account.data} />}
      {!missing && <Sessions />}
      {!missing && <Tokens />}
    </div>
  );
}
