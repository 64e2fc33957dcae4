import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { bundledIcons } from './build/bundled-icons.ts';
import { componentIcons, consoleIcons } from './build/icon-names.ts';
import { keepPlaceholder } from './build/keep-placeholder.ts';

export default defineConfig({
  plugins: [
    react(),
    bundledIcons([...componentIcons, ...consoleIcons]),
    keepPlaceholder('placeholder.html'),
  ],
  build: {
    outDir: 'dist',
    emptyOutDir: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
  },
  server: { proxy: { '/api': 'http://localhost:8080' } },
  test: { environment: 'node', include: ['src/**/*.test.ts', 'build/**/*.test.ts'] },
});
