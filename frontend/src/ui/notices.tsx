// What has just been done, said once in a corner and to screen readers.
import { createContext, type ReactNode, useCallback, useContext, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Toast } from '../mdc';

const shownFor = 8_000;

interface Notice {
  id: number;
  text: string;
}

const NoticeContext = createContext<(text: string) => void>(() => undefined);

export function Notices({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [notices, setNotices] = useState<Notice[]>([]);
  const last = useRef(0);
  const close = useCallback((id: number) => {
    setNotices((all) => all.filter((notice) => notice.id !== id));
  }, []);
  const notify = useCallback((text: string) => {
    const id = ++last.current;
    setNotices((all) => [...all.slice(-2), { id, text }]);
    setTimeout(() => close(id), shownFor);
  }, [close]);
  return (
    <NoticeContext value={notify}>
      {children}
      <div className="notices" role="status">
        {notices.map((notice) => (
          <Toast key={notice.id} variant="success" headerText={notice.text} headerTagName="p"
            aria-label={notice.text} closeButtonAriaLabel={t('close')}
            onClose={() => close(notice.id)} />
        ))}
      </div>
    </NoticeContext>
  );
}

export function useNotify(): (text: string) => void {
  return useContext(NoticeContext);
}
