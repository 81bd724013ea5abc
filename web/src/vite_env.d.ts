/// <reference types="vite/client" />

/** The built-in text, by vite.config.ts. */
declare module 'virtual:moby-dick' {
  const documents: import('../../training/documents').TextDocument[];
  export default documents;
}
