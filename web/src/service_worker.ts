import {precacheAndRoute, type PrecacheEntry} from 'workbox-precaching';

// Keeps every file of the page, so that it works without a network. The build puts the list in.
declare const self: {
  __PRECACHE_MANIFEST: PrecacheEntry[];
  clients: {claim(): Promise<void>};
  addEventListener(
    type: 'activate',
    listener: (event: {waitUntil(promise: Promise<unknown>): void}) => void,
  ): void;
};

precacheAndRoute(self.__PRECACHE_MANIFEST);
// The first visit has it at once. A newer one waits until no tab is open that has yet to load files of the
// older page.
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
