import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { readConfig } from '../../../agent/config.ts'

async function sources(t: TestContext, files: { cmdline?: string; toml?: string; machineId?: string }) {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-config-'))
  t.after(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'cmdline'), files.cmdline ?? '')
  if (files.toml !== undefined) await writeFile(join(directory, 'agent.toml'), files.toml)
  if (files.machineId !== undefined) await writeFile(join(directory, 'machine-id'), files.machineId)
  return {
    cmdlineFile: join(directory, 'cmdline'),
    tomlFile: join(directory, 'agent.toml'),
    netDir: join(directory, 'net'),
    machineIdFile: join(directory, 'machine-id'),
  }
}

test('nothing said gives the defaults, and the narrow mode', async (t) => {
  const config = await readConfig(await sources(t, {}))
  assert.equal(config.mode, 'local')
  assert.equal(config.channel, 'stable')
  assert.equal(config.stage, 'fetch')
  assert.deepEqual(config.providers, [])
  assert.equal(config.machine, 'plasm')
  assert.deepEqual([config.cache, config.noWrite], [true, false])
})

test('whether a disk may be written to and booted from is said by parameter or in agent.toml', async (t) => {
  const asked = async (cmdline: string, toml = '') => {
    const { cache, noWrite } = await readConfig(await sources(t, { cmdline, toml }))
    return [cache, noWrite]
  }
  assert.deepEqual(await asked('phase.cache=false phase.nowrite=true'), [false, true])
  assert.deepEqual(await asked('phase.nowrite'), [true, true])
  assert.deepEqual(await asked('', 'cache = false\nno_write = true\n'), [false, true])
  assert.deepEqual(await asked('phase.cache=true phase.nowrite=false', 'cache = false\nno_write = true\n'), [
    true,
    false,
  ])
})

test('the kernel command line comes before agent.toml', async (t) => {
  const config = await readConfig(
    await sources(t, {
      cmdline: 'phase.channel=testing phase.provider=http://a:1/,http://b:2/base/ plasm.report=http://h/r?',
      toml: 'channel = "stable"\nmode = "private"\nproviders = ["http://c:3"]\nport = 9000\n',
    }),
  )
  assert.equal(config.channel, 'testing')
  assert.equal(config.mode, 'private')
  assert.deepEqual(config.providers, ['http://a:1', 'http://b:2/base'])
  assert.equal(config.port, 9000)
})

test('by whom the DHT is joined is said by parameter or in agent.toml, and what is no peer is refused', async (t) => {
  const asked = async (cmdline: string, toml = '') => {
    const { bootstrap, dhtPort } = await readConfig(await sources(t, { cmdline, toml }))
    return [bootstrap, dhtPort]
  }
  assert.deepEqual(await asked(''), [[], 4001])
  const multiaddr = '/ip4/192.0.2.1/tcp/4001'
  assert.deepEqual(await asked(`phase.bootstrap=${multiaddr},origin:4001`), [[multiaddr, 'origin:4001'], 4001])
  const toml = 'bootstrap = ["/dnsaddr/boot.example"]\ndht_port = 4002\n'
  assert.deepEqual(await asked('', toml), [['/dnsaddr/boot.example'], 4002])
  assert.deepEqual(await asked(`phase.bootstrap=${multiaddr}`, toml), [[multiaddr], 4002])
  await assert.rejects(asked('phase.bootstrap=http://origin:4001'), {
    code: 'config-invalid',
    facts: { parameter: 'phase.bootstrap', value: 'http://origin:4001' },
  })
})

test('a machine is named by its first Ethernet MAC, else by its machine id', async (t) => {
  const from = await sources(t, { machineId: '0123456789abcdef0123456789ABCDEF\n' })
  assert.equal((await readConfig(from)).machine, 'plasm-abcdef')
  for (const [name, type, address] of [
    ['lo', '772', '00:00:00:00:00:00'],
    ['eth1', '1', '52:54:00:00:00:02'],
    ['eth0', '1', '52:54:00:AA:bb:01'],
  ] as const) {
    await mkdir(join(from.netDir, name), { recursive: true })
    await writeFile(join(from.netDir, name, 'type'), `${type}\n`)
    await writeFile(join(from.netDir, name, 'address'), `${address}\n`)
  }
  assert.equal((await readConfig(from)).machine, 'plasm-aabb01')
})

const wrong: ReadonlyArray<{ files: { cmdline?: string; toml?: string }; fact: [string, string] }> = [
  { files: { cmdline: 'phase.mode=Internet' }, fact: ['parameter', 'phase.mode'] },
  { files: { cmdline: 'phase.channel=../x' }, fact: ['parameter', 'phase.channel'] },
  { files: { cmdline: 'phase.provider=http://h/?q' }, fact: ['parameter', 'phase.provider'] },
  { files: { cmdline: 'phase.provider=,' }, fact: ['parameter', 'phase.provider'] },
  { files: { cmdline: 'phase.nowrite=1' }, fact: ['parameter', 'phase.nowrite'] },
  { files: { cmdline: 'phase.cache=no' }, fact: ['parameter', 'phase.cache'] },
  { files: { cmdline: 'plasm.stage=third' }, fact: ['parameter', 'plasm.stage'] },
  { files: { toml: 'chanel = "x"' }, fact: ['field', 'chanel'] },
  { files: { toml: 'port = "80"' }, fact: ['field', 'port'] },
  { files: { toml: 'mode = "wide"' }, fact: ['field', 'mode'] },
  { files: { toml: 'channel = "../x"' }, fact: ['field', 'channel'] },
  { files: { toml: 'providers = ["http://a", "ftp://b"]' }, fact: ['field', 'providers.1'] },
  { files: { toml: 'bootstrap = ["origin"]' }, fact: ['field', 'bootstrap.0'] },
  { files: { toml: 'inboxes = [3]' }, fact: ['field', 'inboxes.0'] },
  { files: { toml: 'store_root = "artifacts"' }, fact: ['field', 'store_root'] },
  { files: { toml: 'port = 4002\ndht_port = 4002' }, fact: ['field', 'dht_port'] },
  { files: { toml: 'dht_port = 8080' }, fact: ['field', 'dht_port'] },
]
for (const { files, fact } of wrong) {
  test(`refuses ${JSON.stringify(files)}, naming ${fact[1]}`, async (t) => {
    const from = await sources(t, files)
    await assert.rejects(readConfig(from), ({ code, message, facts }) => {
      assert.equal(code, 'config-invalid')
      assert.equal(facts[fact[0]], fact[1])
      const named = files.toml === undefined ? fact[1] : `${from.tomlFile}: field ${fact[1]}: `
      assert.ok(message.includes(named), message)
      assert.doesNotMatch(message, /never/)
      return true
    })
  })
}

test('what becomes of a newer set is told by agent.toml alone', async (t) => {
  const asked = async (toml: string) => (await readConfig(await sources(t, { toml }))).apply
  assert.equal(await asked(''), 'serve')
  assert.equal(await asked('apply = "kexec"\n'), 'kexec')
  await assert.rejects(asked('apply = "reboot"\n'), { code: 'config-invalid' })
})
