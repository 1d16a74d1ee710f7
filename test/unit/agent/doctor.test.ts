import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type DoctorSetting, examine } from '../../../agent/doctor.ts'
import { findingLines } from '../../../agent/doctor-view.ts'

const BUILT_AT = '2026-06-01T00:00:00Z'
const AFTER = Date.parse('2026-07-01T00:00:00Z')

/** A machine with nothing wrong but that nobody listens on its port, which must be free. */
async function machine(t: TestContext, port: number): Promise<DoctorSetting & { dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-doctor-'))
  t.after(() => rm(dir, { recursive: true }))
  const write = async (name: string, text: string) => {
    await writeFile(join(dir, name), text)
    return join(dir, name)
  }
  await mkdir(join(dir, 'store'))
  return {
    dir,
    sources: {
      cmdlineFile: await write('cmdline', 'phase.mode=local phase.channel=testing'),
      tomlFile: await write('agent.toml', `store_root = "${join(dir, 'store')}"\nport = ${port}\n`),
      machineIdFile: await write('machine-id', '0123456789abcdef0123456789abcdef\n'),
    },
    trustFile: await write('policy.toml', `allow_unsigned = true\nbuilt_at = ${BUILT_AT}\n`),
    kexecLoadDisabledFile: await write('kexec', '0\n'),
    addresses: () => new Set(['192.0.2.7']),
    now: AFTER,
    isMachine: true,
  }
}

/** A port that nobody listens on, or that the test itself does. */
async function port(t: TestContext, keep: boolean): Promise<number> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((listening) => server.listen(0, '0.0.0.0', listening))
  const { port } = server.address() as { port: number }
  const close = () => new Promise((closed) => server.close(closed))
  if (keep) t.after(close)
  else await close()
  return port
}

const of = async (setting: DoctorSetting, check: string) =>
  (await examine(setting)).find((finding) => finding.check === check)

test('a machine with nothing wrong, whose image takes unsigned sets', async (t) => {
  const number = await port(t, false)
  const findings = await examine(await machine(t, number))
  const verdicts = Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]))
  // Whether this host has kexec-tools is its own affair.
  const { kexec: _, ...others } = verdicts
  assert.deepEqual(others, {
    configuration: 'fine',
    trust: 'doubtful',
    clock: 'fine',
    network: 'fine',
    memory: 'fine',
    disk: 'fine',
    store: 'fine',
    [`port ${number}`]: 'doubtful',
  })
})

test('each thing that is wrong is named, with what to do, and hides no other', async (t) => {
  const number = await port(t, true)
  const sound = await machine(t, number)
  const broken = {
    ...sound,
    trustFile: join(sound.dir, 'none.toml'),
    addresses: () => new Set<string>(),
    kexecLoadDisabledFile: join(sound.dir, 'none'),
  }
  const findings = await examine(broken)
  const wrong = findings.filter(({ verdict }) => verdict === 'wrong')
  assert.deepEqual(
    wrong.map(({ check }) => check),
    ['trust', 'network', 'kexec', `port ${number}`],
  )
  for (const { check, next } of wrong) assert.ok(next, `${check} says what to do`)
  assert.match(wrong[0]!.found, /\[trust-missing\]$/)
})

test('a clock from before the image was made is wrong', async (t) => {
  const sound = await machine(t, await port(t, false))
  const late = await of({ ...sound, now: Date.parse(BUILT_AT) - 1 }, 'clock')
  assert.equal(late?.verdict, 'wrong')
  assert.match(late.found, /2026-05-31.*2026-06-01/)
})

test('a configuration that is wrong is named, and the rest is looked at all the same', async (t) => {
  const sound = await machine(t, await port(t, false))
  await writeFile(join(sound.dir, 'cmdline'), 'phase.mode=lokal')
  const findings = await examine(sound)
  assert.match(findings[0]!.found, /phase\.mode=lokal.*\[config-invalid\]/)
  assert.deepEqual(
    findings.map(({ check }) => check),
    ['configuration', 'trust', 'clock', 'network', 'memory', 'kexec'],
  )
})

test('with phase.mode=internet the bootstrap peers are tried: none named, some and none of them in reach', async (t) => {
  const sound = await machine(t, await port(t, false))
  const open = `127.0.0.1:${await port(t, true)}`
  const closed = `127.0.0.1:${await port(t, false)}`
  const dht = async (words: string) => {
    await writeFile(join(sound.dir, 'cmdline'), words)
    return of(sound, 'dht')
  }
  assert.equal(await dht(`phase.mode=local phase.bootstrap=${closed}`), undefined)
  assert.equal((await dht('phase.mode=internet'))?.verdict, 'doubtful')
  assert.equal((await dht(`phase.mode=internet phase.bootstrap=${open}`))?.verdict, 'fine')
  const some = await dht(`phase.mode=internet phase.bootstrap=${open},${closed}`)
  assert.equal(some?.verdict, 'doubtful')
  assert.match(some.found, new RegExp(`^1 of 2 .*; ${closed}: nobody listens there`))
  const none = await dht(`phase.mode=internet phase.bootstrap=${closed}`)
  assert.equal(none?.verdict, 'wrong')
  assert.match(none.next ?? '', /plasmd serve runs there/)
})

test('on a host it says that it is none of our machines, and finds nothing wrong in what only they have', async (t) => {
  const number = await port(t, false)
  const sound = await machine(t, number)
  await rm(join(sound.dir, 'store'), { recursive: true })
  const host = { ...sound, isMachine: false, trustFile: join(sound.dir, 'none.toml') }
  const findings = await examine({ ...host, kexecLoadDisabledFile: join(sound.dir, 'none') })
  assert.deepEqual(
    findings.map(({ check, verdict }) => `${verdict} ${check}`),
    ['doubtful machine', 'fine configuration', 'fine clock', 'fine network', 'fine memory', `fine port ${number}`],
  )
  assert.match(findings[0]!.next ?? '', /exec vm1 -- plasm-agent doctor/)
})

test('a store that is not there is wrong', async (t) => {
  const sound = await machine(t, await port(t, false))
  await rm(join(sound.dir, 'store'), { recursive: true })
  assert.equal((await of(sound, 'store'))?.verdict, 'wrong')
})

test('the screen has a line for each check, what to do below it, and the sum at the end', () => {
  const findings = [
    { check: 'clock', verdict: 'fine', found: '2026' },
    { check: 'network', verdict: 'wrong', found: 'none', next: 'plug it in' },
  ] as const
  assert.deepEqual(findingLines(findings, false), [
    'fine      clock    2026',
    'wrong     network  none',
    '                   plug it in',
    'wrong: network',
  ])
  assert.match(findingLines(findings, true)[1]!, /^\x1b\[31mwrong/)
  assert.equal(findingLines(findings.slice(0, 1), false).at(-1), 'nothing is wrong')
  const doubtful = { check: 'port 8080', verdict: 'doubtful', found: 'nobody listens there' } as const
  assert.equal(findingLines([doubtful], false).at(-1), 'nothing is wrong; doubtful: port 8080')
})
