import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import type { Status } from '../../agent/status-file.ts'
import type { Trials } from '../../agent/trial-file.ts'
import type { UpdateResult } from '../../agent/update-command.ts'
import { hostArch } from '../../service/arch.ts'
import { ENVELOPE_FILE, MANIFEST_PAYLOAD_TYPE, parseEnvelope } from '../../service/dsse.ts'
import { parsePayload } from '../../service/manifest.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { type KeptMachine, keptMachine } from '../support/kept-machine.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const IMAGES = join(ROOT, 'build/images')
const WITHIN_MS = 4 * 60_000
const TRIALS = '/var/lib/plasm/state/trials.json'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** Puts a release above the chain's into the place of what the origin serves. */
async function publish({ runDir }: KeptMachine, release: string, above: number): Promise<number> {
  const arch = hostArch()
  const envelope = await readFile(join(IMAGES, 'stable', arch, ENVELOPE_FILE))
  const { sequence } = parsePayload(parseEnvelope(envelope, MANIFEST_PAYLOAD_TYPE).payload)
  const number = sequence + 1 + above
  const about = ['--release', release, '--sequence', String(number), '--rootfs', 'none']
  const place = ['--arch', arch, '--channel', 'stable', '--images', IMAGES, '--out', join(runDir, 'published')]
  await execa(process.execPath, [join(ROOT, 'images/cli.ts'), 'publish', ...place, ...about])
  return number
}

async function asked(machine: KeptMachine, ...words: string[]): Promise<{ exit: number; result: UpdateResult }> {
  const { exit, stdout, stderr } = await machine.sh(`plasm-agent update --json ${words.join(' ')}`)
  assert.notEqual(stdout, '', stderr)
  return { exit, result: JSON.parse(stdout) as UpdateResult }
}

/** What lies in the machine when it is ready in the system of a release, looked at until it is. */
async function readyIn(
  machine: KeptMachine,
  release: string,
): Promise<{ status: Status; trials: Trials; screen: string }> {
  let last = ''
  for (const deadline = performance.now() + WITHIN_MS; performance.now() < deadline; await sleep(2000)) {
    const script = `cat /etc/plasm/release; cat ${TRIALS} || echo '{"trial":null,"bad":[]}'; plasm-agent status --json; echo; plasm-agent status`
    const { stdout, stderr } = await machine.sh(script)
    last = `${stdout}\n${stderr}`
    const [name, trials = '', ...others] = stdout.split('\n')
    const end = others.indexOf('')
    if (name?.trim() !== release || end < 0) continue
    const status = JSON.parse(others.slice(0, end).join('\n')) as Status
    const found = JSON.parse(trials) as Trials
    if (status.ready && found.trial === null) return { status, trials: found, screen: others.slice(end).join('\n') }
  }
  throw new Error(`not ready in ${release}:\n${last}`)
}

const AGENT = `agent() { sed -n 's/.*"pid": \\([0-9]*\\).*/\\1/p' /run/plasm/status.json | head -n 1; }`

/** The agent goes on with another configuration; inittab starts it again. */
async function restartAgent(machine: KeptMachine, change: string): Promise<void> {
  const { exit, stderr } = await machine.sh(`${AGENT}
    ${change}
    old=$(agent)
    kill "$old"
    for _ in $(seq 120); do
      [ "$(agent)" != "$old" ] && plasm-agent status >/dev/null && exit
      sleep 0.5
    done
    exit 1`)
  assert.equal(exit, 0, stderr)
}

test('a machine rolls on to newer releases: serves one, boots another, and leaves one that is not ready in time', {
  skip,
}, async (t: TestContext) => {
  await using machine = await keptMachine('--generations', '1', '--disk', '1G')
  const first = await readyIn(machine, await releaseOf(machine))

  await t.test('it serves the newer one', async () => {
    assert.deepEqual([(await asked(machine)).exit, (await asked(machine)).result.outcome], [0, 'up-to-date'])
    const sequence = await publish(machine, 'second', 1)
    const checked = await asked(machine)
    assert.deepEqual([checked.exit, checked.result.newest?.sequence], [10, sequence])
    const applied = await asked(machine, '--apply')
    assert.deepEqual([applied.exit, applied.result.outcome, applied.result.served?.sequence], [0, 'applied', sequence])
    const { status } = await readyIn(machine, await releaseOf(machine))
    assert.equal(status.bootId, first.status.bootId, 'it is the same kernel')
  })

  await t.test('it boots the one after it', async () => {
    await restartAgent(machine, `echo 'apply = "kexec"' >>/etc/plasm/agent.toml`)
    const sequence = await publish(machine, 'third', 2)
    assert.deepEqual((await asked(machine, '--apply')).result.outcome, 'booting')
    const { status } = await readyIn(machine, 'third')
    assert.notEqual(status.bootId, first.status.bootId)
    assert.equal(status.record?.set.sequence, sequence)
    assert.deepEqual([status.record?.handover, status.record?.provider.provenBy], ['disk', 'receipt'])
    assert.equal(status.peerId, first.status.peerId)
  })

  await t.test(
    'a set on trial that is not ready in time is left for the one before it, and not taken again',
    async () => {
      const { record } = (await readyIn(machine, 'third')).status
      const { manifestDigest: digest } = record!.set
      // As if this kernel had only just been started for that set, and its time were over.
      const previous = await machine.sh('basename "$(readlink -f /var/lib/plasm/boot-artifacts/stable/.previous-*)"')
      const trial = {
        digest,
        previous: `sha256:${previous.stdout.trim()}`,
        nonce: record!.bootNonce,
        fromBootId: 'another',
        withinMs: 1000,
      }
      const text = JSON.stringify({ version: 1, trial, bad: [] })
      await machine.sh(`${AGENT}
      echo '${text}' >${TRIALS}; rm -f /var/lib/plasm/state/freshness.json; kill "$(agent)"`)
      const { status, trials, screen } = await readyIn(machine, 'second')
      t.diagnostic(`\n${screen}`)
      assert.equal(status.record?.set.manifestDigest, trial.previous)
      assert.deepEqual(
        trials.bad.map((one) => [one.digest, one.reason]),
        [[digest, 'not ready within 1 s']],
      )
      const again = await asked(machine, '--apply')
      assert.equal(again.result.outcome, 'up-to-date')
      assert.match(again.result.refused[0]!.reason, /\[set-known-bad\]$/)
    },
  )
})

async function releaseOf(machine: KeptMachine): Promise<string> {
  return (await machine.sh('cat /etc/plasm/release')).stdout.trim()
}
