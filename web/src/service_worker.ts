import {precacheAndRoute, type PrecacheEntry} from 'workbox-precaching';

// Keeps every file of the page, so that it works without a network. The build puts the list in.
declare const self: {
  __PRECACHE_MANIFEST: PrecacheEntry[];
  skipWaiting(): Promise<void>;
  clients: {claim(): Promise<void>};
  addEventListener(
    type: 'install' | 'activate',
    listener: (event: {waitUntil(promise: Promise<unknown>): void}) => void,
  ): void;
};

precacheAndRoute(self.__PRECACHE_MANIFEST);
self.addEventListener('install', (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
