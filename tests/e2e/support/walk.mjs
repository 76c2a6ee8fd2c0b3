// Every URI that a title's manifests lead to, as readers of video.js find them: m3u8-parser and mpd-parser, which know
// nothing of Levada's own.
import { Parser } from 'm3u8-parser';
import { parse } from 'mpd-parser';

/** What a playlist names: playlists, and what is no playlist. */
function ofPlaylist(text, url) {
  const parser = new Parser();
  parser.push(text);
  parser.end();
  const it = parser.manifest;
  const renditions = Object.values(it.mediaGroups ?? {}).flatMap((kind) => Object.values(kind).flatMap(Object.values));
  const playlists = [...it.playlists ?? [], ...it.iFramePlaylists ?? [], ...renditions].map((them) => them.uri);
  const leaves = (it.segments ?? []).flatMap((them) => [them.uri, them.map?.uri, them.key?.uri]);
  // Keys may be named by schemes that only a system of protection knows.
  const all = (uris) => uris.filter(Boolean).map((uri) => new URL(uri, url).href).filter((it) => it.startsWith('http'));
  return { playlists: all(playlists), leaves: all(leaves) };
}

function ofMpd(text, url) {
  const it = parse(text, { manifestUri: url });
  const renditions = Object.values(it.mediaGroups).flatMap((kind) => Object.values(kind).flatMap(Object.values));
  const playlists = [...it.playlists, ...renditions.flatMap((them) => them.playlists)];
  return { playlists: [], leaves: playlists.flatMap((them) => them.segments.flatMap((segment) => [segment.resolvedUri, segment.map?.resolvedUri])).filter(Boolean) };
}

/** All URIs from these manifests on, themselves among them; `get` fetches one and gives its text. */
export async function walk(manifests, get) {
  const found = new Set();
  const left = [...manifests];
  while (left.length) {
    const url = left.pop();
    if (found.has(url)) continue;
    found.add(url);
    const read = new URL(url).pathname.endsWith('.mpd') ? ofMpd : ofPlaylist;
    const { playlists, leaves } = read(await get(url), url);
    left.push(...playlists);
    leaves.forEach((it) => found.add(it));
  }
  return [...found];
}
