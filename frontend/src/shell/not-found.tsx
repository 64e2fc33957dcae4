import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { Button } from '../mdc';
import { H1, useTitle } from '../ui/parts';

/** The page for an address that leads nowhere, or to something that is not there any more. */
export function NotFound({ text }: { text?: string }) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const title = text ?? t('error.notFound');
  useTitle(title);
  return (
    <div className="empty">
      <H1>{title}</H1>
      <Button onClick={() => void navigate('/')}>{t('error.toStart')}</Button>
    </div>
  );
}
