import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AskedProvider } from '../../service/found-provider.ts'
import { besideProviders, ORIGIN } from '../support/beside-providers.ts'
import type { DhtProvider } from '../support/dht-providers-program.ts'
import { PLASMD } from '../support/plasmd-process.ts'

const BOOTED: DhtProvider = {
  ...{ machine: 'plasm-aaaaaa', generation: 1, sequence: 8, port: 8081, dhtPort: 4002 },
  bootstrap: ['10.77.0.1:4001'],
}
interface Listed {
  readonly providers: readonly AskedProvider[]
  readonly dht: { readonly joined: boolean; readonly problems: readonly string[] } | null
}
const LIST = `${process.execPath} ${PLASMD} provider list --json`

test('plasmd provider list names those whom the DHT knows, with what they say and whether they answer', async () => {
  // Records are put some time after a provider has begun.
  const command = `for look in 1 2 3 4; do
    found=$(${LIST} --bootstrap 10.77.0.1:4001)
    case $found in *:8080*:8081*) break ;; esac
  done; echo "$found"`
  const { providers: found, dht } = (await besideProviders([ORIGIN, BOOTED], command)) as Listed
  assert.deepEqual(dht, { joined: true, problems: [] })
  assert.deepEqual(
    found.map(({ url, source, name, claims, verdict }) => [
      ...[url, source, name, claims.generation, claims.sequence, claims.version, verdict],
    ]),
    [
      ['http://10.77.0.1:8080', 'dht', 'plasm-origin', 0, 7, '1.2.3', 'answers'],
      ['http://10.77.0.1:8081', 'dht', 'plasm-aaaaaa', 1, 8, '1.2.3', 'answers'],
    ],
  )
  assert.ok(found.every(({ latencyMs }) => latencyMs !== null && latencyMs >= 0))
  assert.ok(found.every(({ claims }) => claims.peerId?.startsWith('12D3KooW')))
})

test('without --bootstrap the DHT is not asked, and who cannot join it is told so', async () => {
  assert.deepEqual(await besideProviders([ORIGIN], `${LIST}; echo [$?]`), [69], 'a provider that only the DHT tells of')
  const asJson = `${process.execPath} -p 'JSON.stringify(process.argv[1])'`
  const said = await besideProviders([ORIGIN], `said=$(${LIST} --bootstrap 10.77.0.1:4099 2>&1); ${asJson} "$said"`)
  const [listed, ...told] = String(said).split('\n')
  const why = /^the DHT could not be joined: no node answers at 10\.77\.0\.1:4099/
  assert.match((JSON.parse(listed!) as Listed).dht?.problems[0] ?? '', why)
  assert.match(told.join('\n').replace('plasmd: ', ''), why)
})

test('the providers of a test leave nothing behind, however it ends', async (t) => {
  const usual = tmpdir()
  const here = await mkdtemp(join(usual, 'plasm-left-'))
  process.env.TMPDIR = here
  t.after(() => {
    process.env.TMPDIR = usual
    return rm(here, { recursive: true, force: true })
  })
  await besideProviders([ORIGIN], 'echo 1')
  await assert.rejects(besideProviders([ORIGIN], 'exit 3'), { code: 3 })
  assert.deepEqual(await readdir(here), [])
})
