import { useTranslation } from 'react-i18next';
import { useAction } from '../api/action';
import { client, type Schemas } from '../api/client';
import { countdown, left } from '../api/hubclock';
import { Button, type ChipColor, Icon, StaticChip, Text } from '../mdc';
import { useHubNow, usePermitted } from '../session';
import { Fact, Facts, Failure, H3, Host, Muted } from '../ui/parts';
import type { Prefill } from './add-dialog';

type Registration = Schemas['Registration'];
type State = Registration['state'];

const colors: Record<State, ChipColor> = {
  pending: 'gold', claimed: 'cobalt', completed: 'mint', expired: 'slate', denied: 'pink',
  superseded: 'slate', cancelled: 'slate', burned: 'pink',
};

/** A pending one is over when its time is, also before the hub has said so. */
function shownState(registration: Registration, now: number): State {
  if (registration.state === 'pending' && left(registration.expires_at, now) === 0) {
    return 'expired';
  }
  return registration.state;
}

interface Props {
  registration: Registration;
  onAgain: (prefill: Prefill) => void;
}

/** A registration that is not yet, or never became, a cluster. */
export function RegistrationCard({ registration, onAgain }: Props) {
  const { t } = useTranslation();
  const now = useHubNow();
  const mayBegin = usePermitted('createRegistration');
  const mayDismiss = usePermitted('dismissRegistration');
  const state = shownState(registration, now);
  const over = state !== 'pending' && state !== 'claimed';
  const dismiss = useAction(() => client.DELETE('/registrations/{registrationId}', {
    params: { path: { registrationId: registration.id } },
  }));
  const again = () => onAgain({
    name: registration.display_name, fqdn: registration.fqdn, replaces: registration.id,
  });
  return (
    <article className="card" aria-label={registration.display_name}
      data-registration={registration.id} data-state={state}>
      <div className="card-head">
        <Icon name="cloud-upload-regular" size={1.5} />
        <div>
          <H3>{registration.display_name}</H3>
          <Muted><Host name={registration.fqdn} /></Muted>
        </div>
      </div>
      <div className="chips">
        <StaticChip color={colors[state]} label={t(`registration.${state}`)} />
        {registration.kind === 'replacement' && (
          <StaticChip color="default" label={t('registration.replacement')} />
        )}
        {registration.headless && (
          <StaticChip color="default" label={t('registration.headless')} />
        )}
      </div>
      {!over && <Remaining registration={registration} now={now} />}
      <Muted>{explanation(t, registration, state)}</Muted>
      <Facts>
        <Fact label={t('registration.by')}>{registration.requested_by}</Fact>
      </Facts>
      {state === 'pending' && registration.open_url && <Hints />}
      {registration.comparison_code && !over && (
        <ComparisonCode code={registration.comparison_code} />
      )}
      <Failure failure={dismiss.failure} />
      {mayDismiss && (
        <div className="card-foot">
          {state === 'pending' && registration.open_url && (
            <Button size={32} postfixIcon="pop-out-regular"
              onClick={() => location.assign(registration.open_url!)}>
              {t('registration.open')}
            </Button>
          )}
          {over && mayBegin && registration.kind === 'cluster' && !registration.headless && (
            <Button size={32} onClick={again}>{t('registration.again')}</Button>
          )}
          <Button size={32} variant="secondary" disabled={dismiss.busy}
            aria-label={over
              ? t('registration.dismissOf', { name: registration.display_name }) : undefined}
            onClick={() => dismiss.run(undefined)}>
            {over ? t('registration.dismiss') : t('registration.cancel')}
          </Button>
        </div>
      )}
    </article>
  );
}

function explanation(
  t: ReturnType<typeof useTranslation>['t'], registration: Registration, state: State,
): string {
  if (state === 'completed') return '';
  if (registration.headless && state === 'claimed') return t('registration.headlessClaimed');
  if (state === 'pending' && !registration.mine) return t('registration.elsewhere');
  return t(`registration.${state}Text`);
}

function Remaining({ registration, now }: { registration: Registration; now: number }) {
  const { t } = useTranslation();
  const until = registration.state === 'claimed'
    ? registration.return_by ?? registration.expires_at : registration.expires_at;
  const time = countdown(left(until, now));
  return (
    <div className="remaining">
      <Text tagname="span" type="body-midsize-regular" className="muted">
        {t('registration.remaining')}
      </Text>
      <span className="countdown" role="timer"
        aria-label={t('registration.remainingLabel', { time })}>{time}</span>
    </div>
  );
}

function Hints() {
  const { t } = useTranslation();
  return (
    <div className="hints">
      <Text tagname="p" type="body-midsize-bold">{t('registration.hints')}</Text>
      <ul>
        <li>{t('registration.hintNetwork')}</li>
        <li>{t('registration.hintName')}</li>
        <li>{t('registration.hintProxy')}</li>
      </ul>
    </div>
  );
}

/** The code that both pages show, so that people can compare them (R3). */
export function ComparisonCode({ code, after }: { code: string; after?: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="comparison">
      <Text tagname="span" type="body-midsize-regular">{t('registration.comparison')}</Text>
      <span className="code">{code}</span>
      <Muted>
        {after ? t('registration.comparisonAfter') : t('registration.comparisonHelp')}
      </Muted>
    </div>
  );
}
