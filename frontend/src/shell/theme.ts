// Light or dark: as chosen before, otherwise as the system is set.
import { createContext, useEffect, useMemo, useState } from 'react';
import { recall, remember } from '../ui/memory';

export type Theme = 'light' | 'dark';

export const themeClass: Record<Theme, string> = {
  light: 'mds-theme-stable-lightWebex',
  dark: 'mds-theme-stable-darkWebex',
};

interface ThemeChoice {
  theme: Theme;
  choose: (theme: Theme) => void;
}

export const ThemeContext = createContext<ThemeChoice>({ theme: 'light', choose: () => undefined });

function initial(): Theme {
  const remembered = recall('theme');
  if (remembered === 'light' || remembered === 'dark') return remembered;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

export function useTheme(): ThemeChoice {
  const [theme, setTheme] = useState(initial);
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return useMemo(() => ({
    theme,
    choose(next: Theme) {
      remember('theme', next);
      setTheme(next);
    },
  }), [theme]);
}
