import {once} from 'node:events';
import {createServer} from 'node:http';
import type {AddressInfo} from 'node:net';

/** What a path is answered with. */
export interface Content {
  type: string;
  body: string | Uint8Array;
}

export interface Serving {
  /** With a slash at the end. WebGPU is there for secure contexts, as localhost is. */
  url: string;
  close: () => void;
}

/** Serves on this machine alone; `find` gives the content of a path, or undefined where there is none. */
export async function serve(find: (path: string) => Content | undefined): Promise<Serving> {
  const server = createServer(({url}, response) => {
    const content = find(new URL(url!, 'http://localhost').pathname);
    if (content == null) {
      response.writeHead(404).end();
    } else {
      response.writeHead(200, {'content-type': content.type}).end(content.body);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
