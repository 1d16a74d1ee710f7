import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MOST_COLUMNS = 100
const PROGRAMS = {
  'agent/main.ts': 'boot serve status update discover why doctor logs handover stage verify complete',
  'host-harness/cli.ts': 'chain boot console exec',
  'images/cli.ts': 'build publish',
  'service/plasmd.ts': 'serve provider keygen manifest version',
} as const
const ALL = Object.entries(PROGRAMS).flatMap(([file, names]) => [
  [file],
  ...names.split(' ').map((name) => [file, name]),
])
const GROUPED = [
  ...['status', 'list'].map((name) => ['service/plasmd.ts', 'provider', name]),
  ...['sign', 'verify', 'show', 'generate'].map((name) => ['service/plasmd.ts', 'manifest', name]),
]

async function help(command: readonly string[]): Promise<string> {
  const { stdout } = await execa(process.execPath, [...command, '--help'], { cwd: ROOT, stdin: 'ignore' })
  return stdout
}

test('the help of every command fits into 100 columns', async () => {
  for (const command of [...ALL, ...GROUPED]) {
    const wide = (await help(command)).split('\n').filter((line) => line.length > MOST_COLUMNS)
    // A path of this checkout may be a default, and is one word.
    assert.deepEqual(
      wide.filter((line) => !line.includes(ROOT)),
      [],
      command.join(' '),
    )
  }
})

test('what must be given is marked, and what need not has its default', async () => {
  const publish = await help(['images/cli.ts', 'publish'])
  for (const option of ['--out', '--release', '--sequence']) {
    assert.match(publish, new RegExp(`${option} <[^-]*\\(required\\)`), option)
  }
  assert.match(publish, /--rootfs [^-]*\(default: none\)/)
  assert.match(await help(['agent/main.ts', 'handover']), /--initrd [^-]*\(required\)/)
})

test('the help of harness and provider has examples', async () => {
  for (const file of ['host-harness/cli.ts', 'service/plasmd.ts']) {
    const examples = (await help([file])).split('\nExamples:\n')[1] ?? ''
    assert.ok((examples.match(/^ {2}(plasm-harness|plasmd) /gm)?.length ?? 0) >= 3, file)
  }
})

test('the help of every command of plasmd has an example and the exit codes', async () => {
  for (const command of ['serve', 'keygen', ...GROUPED.map(([, ...names]) => names.join(' '))]) {
    const text = await help(['service/plasmd.ts', ...command.split(' ')])
    assert.match(text, new RegExp(`\\n {2}plasmd ${command}`), command)
    assert.match(text, /\nExit codes: 0 /, command)
    assert.doesNotMatch(text, /default: (false|"")/, command)
  }
})

test('the help of the two stages says what happens, has an example, and all exit codes', async () => {
  for (const [stage, codes] of [
    ['boot', [2, 65, 78, 1]],
    ['serve', [0, 1, 2, 78]],
  ] as const) {
    const text = await help(['agent/main.ts', stage])
    assert.match(
      text,
      new RegExp(`What happens:[\\s\\S]*\\nSteps: config,[\\s\\S]*\\nExamples:\\n {2}plasm-agent ${stage} `),
    )
    const told = text.slice(text.indexOf('Exit codes:')).match(/\b\d+\b/g)
    assert.deepEqual(told?.map(Number), codes)
  }
})

test('boot speaks of the one machine that it starts', async () => {
  assert.doesNotMatch(await help(['host-harness/cli.ts', 'boot']), /each machine/)
  assert.match(await help(['host-harness/cli.ts', 'chain']), /memory of each machine/)
})

test('console says what it shows of a machine of a chain, and which command is the shell there', async () => {
  const text = (await help(['host-harness/cli.ts', 'console'])).replaceAll(/\s+/g, ' ')
  assert.match(text, /machine of a chain has none: you see what .* plasm-harness exec vm1 -- sh -c '/)
})

test('wrong usage names the command that was meant, and where its help is', async () => {
  for (const [command, name] of [
    [['agent/main.ts', 'frobnicate'], 'plasm-agent'],
    [['agent/main.ts', 'status', '--jsn'], 'plasm-agent status'],
    [['agent/main.ts', 'verify'], 'plasm-agent verify'],
    [['service/plasmd.ts', 'manifest', 'sgn'], 'plasmd manifest'],
    [['host-harness/cli.ts', 'chain', '--gen'], 'plasm-harness chain'],
    [['images/cli.ts', 'bild'], 'plasm-images'],
  ] as const) {
    const { stderr, exitCode } = await execa(process.execPath, command, { cwd: ROOT, stdin: 'ignore', reject: false })
    assert.equal(exitCode, 2)
    assert.equal(stderr.split('\n').at(-1), `  ${name} --help says what there is`)
  }
})
