import { defineConfig } from 'vite';
import solid from 'vite-plugin-solid';

/**
 * Everything the page needs comes from its own origin, in files: no inline script or style, no data: URL, so that the
 * centre can serve it under `default-src 'self'`. In development the API of a running centre is proxied.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [solid()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': process.env.ENERCHAIN_URL ?? 'http://127.0.0.1:8080' },
  },
});
