import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { AskedProvider } from '../../service/found-provider.ts'
import { generateManifest, writeManifestFile } from '../../service/publish.ts'
import { avahiHere } from '../support/avahi-here.ts'
import { makeRoot, putSet } from '../support/plasmd.ts'
import { PLASMD } from '../support/plasmd-process.ts'

const support = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url))
const NODE = process.execPath
const SET = { kernel: 1000, initramfs: 1000 }

/** Runs a shell command on a link of its own. */
async function onLink(command: string, env: Record<string, string> = {}): Promise<string> {
  const options = { timeout: 30_000, env: { PATH: process.env.PATH, ...env } }
  return (await promisify(execFile)(support('on-link.sh'), [command], options)).stdout
}

/** Serves a root in the background until its advertisements are out, then runs a command and ends plasmd. */
const beside = (root: string, sets: number, command: string) => `
  log=$(mktemp)
  ${NODE} ${PLASMD} serve -a ${root} -p 18080 2>"$log" &
  plasmd=$!
  until [ "$(grep -c 'advertising by mDNS' "$log")" = ${sets} ]; do sleep 0.05; kill -0 $plasmd || exit 1; done
  ${command}
  kill $plasmd; wait $plasmd; echo "ended with $?"; rm "$log"`

/** Two sets: one published, one that merely lies there. */
async function makeSets(t: TestContext): Promise<string> {
  const root = await makeRoot(t)
  const dir = join(root, 'stable', 'x86_64')
  await putSet(dir, SET)
  const release = { channel: 'stable', arch: 'x86_64', version: '1.2.3', sequence: 9 } as const
  await writeManifestFile(dir, await generateManifest(dir, release))
  await putSet(join(root, 'testing', 'arm64'), SET)
  return root
}

const why = (...tools: string[]) => {
  const missing = tools.find((tool) => {
    try {
      return void execFileSync('sh', ['-c', `command -v ${tool}`])
    } catch {
      return true
    }
  })
  return missing === undefined ? false : `${missing} is not installed`
}

test('plasmd provider list finds each set that is served on the link', { skip: why('unshare', 'ip') }, async (t) => {
  const out = await onLink(beside(await makeSets(t), 2, `${NODE} ${PLASMD} provider list --json`))
  const [line, end] = out.trim().split('\n')
  const { providers: found } = JSON.parse(line!) as { providers: readonly AskedProvider[] }
  const said = found.map(({ url, name, channel, arch, claims }) => [url, name, channel, arch, claims.version])
  assert.deepEqual(said.sort(), [
    ['http://10.78.0.1:18080', `plasmd-linkhost (testing arm64)`, 'testing', 'arm64', 'unversioned'],
    ['http://10.78.0.1:18080', `plasmd-linkhost`, 'stable', 'x86_64', '1.2.3'],
  ])
  assert.equal(end, 'ended with 0')
  const claims = found.map(({ claims: { sequence, generation, load }, source }) => [sequence, generation, load, source])
  assert.deepEqual(claims.sort(), [
    [0, 0, 0, 'mdns'],
    [9, 0, 0, 'mdns'],
  ])
  assert.ok(found.every(({ latencyMs, verdict }) => verdict === 'answers' && latencyMs !== null && latencyMs < 3_000))
})

test('plasmd provider list tells people what is advertised', { skip: why('unshare', 'ip') }, async (t) => {
  const out = await onLink(beside(await makeSets(t), 2, `${NODE} ${PLASMD} provider list`))
  const told = out.split('\n')
  const first = told.indexOf('http://10.78.0.1:18080  plasmd-linkhost  stable/x86_64  by mdns')
  assert.match(told[first + 1] ?? out, /^ {4}answers in \d+ ms$/)
  assert.match(told[first + 2] ?? out, /^ {4}says: version 1\.2\.3, sequence 9, generation 0, load 0, peer 12D3KooW/)
})

test('plasmd that starts before its link has an address is found once it has one', {
  skip: why('unshare', 'ip'),
}, async (t) => {
  const late = `ip address add 10.78.0.1/24 dev near; sleep 4; ${NODE} ${PLASMD} provider list --json`
  const out = await onLink(`ip address del 10.78.0.1/24 dev near; ${beside(await makeSets(t), 2, late)}`)
  const { providers } = JSON.parse(out.trim().split('\n')[0]!) as { providers: readonly AskedProvider[] }
  assert.deepEqual([...new Set(providers.map(({ url }) => url))], ['http://10.78.0.1:18080'])
})

const avahi = await avahiHere('avahi-sees').catch((thrown: Error) => thrown)
const AVAHI = avahi instanceof Error ? `avahi cannot be had: ${avahi.message}` : why('unshare', 'ip')

test('a DNS-SD browser sees name, host, port and TXT, and the goodbye', { skip: AVAHI }, async (t) => {
  const browse = 'avahi-browse --resolve --parsable --terminate _phase-image._tcp'
  const out = await onLink(`${beside(await makeSets(t), 2, browse)}; echo again; ${browse}`, {
    ...(avahi instanceof Error ? {} : avahi),
    AVAHI: '1',
  })
  const [before, after] = out.split('ended with 0\nagain\n')
  const resolved = before!
    .split('\n')
    .filter((line) => line.startsWith('='))
    .map((line) => line.split(';'))
  assert.deepEqual(resolved.map(([, link, , name, , , , address, port]) => [link, name, address, port]).sort(), [
    ['near', 'plasmd-linkhost', '10.78.0.1', '18080'],
    ['near', String.raw`plasmd-linkhost\032\040testing\032arm64\041`, '10.78.0.1', '18080'],
  ])
  const plain = resolved.find(([, , , name]) => name === 'plasmd-linkhost')!
  assert.notEqual(plain[6], 'linkhost.local', "avahi publishes the machine's own name")
  const told = plain[9]!.replaceAll('"', '').split(' ').sort()
  assert.deepEqual(
    told.filter((pair) => !/^(?:peer_id|set)=/.test(pair)),
    [
      'arch=x86_64',
      'channel=stable',
      'dht_port=4001',
      'generation=0',
      'http_port=18080',
      'load=0',
      'sequence=9',
      'version=1.2.3',
    ],
  )
  assert.match(told.join(' '), / peer_id=12D3KooW\w{44} .* set=[0-9a-f]{12} /)
  assert.equal(after, '')
})

test('names that are ours go out at once, others are probed for first', { skip: why('unshare', 'ip') }, async (t) => {
  const timing = async (mode: string) =>
    JSON.parse(await onLink(`${NODE} ${support('advertise-timing.ts')} ${mode}`)) as Record<string, number>
  const [ours, probed] = [await timing('ours'), await timing('probe')]
  t.diagnostic(`announced after ${Math.round(ours.announced!)} and ${Math.round(probed.announced!)} ms`)
  assert.ok(probed.announced! >= 750, 'three probes, 250 ms apart (RFC 6762, 8.1)')
  assert.ok(ours.announced! < 600)
})
