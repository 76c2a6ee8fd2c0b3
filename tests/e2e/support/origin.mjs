// A web server whose every body can be told from its path, so that a wrong octet shows.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

/** The body of `/N/LENGTH`: octets that follow from the path alone. */
export function body(path) {
  const length = Number(path.split('/').at(-1));
  const seed = createHash('sha256').update(path).digest();
  const octets = Buffer.alloc(length);
  for (let at = 0; at < length; at += seed.length) {
    seed.copy(octets, at, 0, Math.min(seed.length, length - at));
    seed.writeUInt32LE(at, 0);
  }
  return octets;
}

export const hash = (octets) => createHash('sha256').update(octets).digest('hex');

/** Starts it; `fetches` counts what was asked of it. */
export async function origin() {
  const it = { fetches: 0 };
  const server = createServer((request, response) => {
    it.fetches += 1;
    const octets = body(request.url);
    const headers = { 'cache-control': 'max-age=86400', etag: `"${hash(octets).slice(0, 16)}"`, 'content-length': octets.length };
    response.writeHead(200, headers);
    response.end(octets);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  it.port = server.address().port;
  it.stop = () => { server.closeAllConnections(); server.close(); };
  return it;
}
