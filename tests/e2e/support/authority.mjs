// A certificate authority that speaks ACME (pebble) and a name server that knows every name as this machine.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { background, freePort, until } from './server.mjs';

/** `httpPort` is where the authority looks for challenges. */
export async function withAuthority(httpPort, use) {
  const directory = mkdtempSync(join(tmpdir(), 'levada-acme-'));
  const at = (name) => join(directory, name);
  const [acme, management, dns, challenges] = [await freePort(), await freePort(), await freePort(), await freePort()];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', at('key.pem'), '-out', at('certificate.pem')], { stdio: 'ignore' });
  writeFileSync(at('pebble.json'), JSON.stringify({ pebble: {
    listenAddress: `127.0.0.1:${acme}`, managementListenAddress: `127.0.0.1:${management}`,
    certificate: at('certificate.pem'), privateKey: at('key.pem'), httpPort, tlsPort: 1,
    ocspResponderURL: '', externalAccountBindingRequired: false,
  } }));
  const names = background('pebble-challtestsrv', ['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dns}`,
    '-http01', '', '-https01', '', '-tlsalpn01', '', '-management', `127.0.0.1:${challenges}`]);
  const pebble = background('pebble', ['-config', at('pebble.json'), '-dnsserver', `127.0.0.1:${dns}`],
    { env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' } });
  const url = (path) => `https://localhost:${management}/${path}`;
  const curl = (...args) => execFileSync('curl', ['--silent', '--fail', '--cacert', at('certificate.pem'), '--resolve', `localhost:${management}:127.0.0.1`, ...args], { encoding: 'utf8' });
  try {
    await until('the authority', () => curl(url('roots/0')));
    const root = at('root.pem');
    writeFileSync(root, curl(url('roots/0')));
    return await use({ directory: `https://localhost:${acme}/dir`, trust: at('certificate.pem'), root, log: () => pebble.output() });
  } finally {
    await pebble.stop();
    await names.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
