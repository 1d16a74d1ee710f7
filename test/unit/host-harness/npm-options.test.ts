import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import { addBoot } from '../../../host-harness/cli/boot.ts'
import { addChain } from '../../../host-harness/cli/chain.ts'
import { addExec } from '../../../host-harness/cli/exec.ts'
import { takenByNpm } from '../../../host-harness/npm-options.ts'

const program = new Command()
for (const add of [addChain, addBoot, addExec]) add(program, () => {})

/** What npm 11 leaves of the command that it was given, and what is to be said of it. */
const CASES: ReadonlyArray<
  readonly [typed: string, argv: string, config: Readonly<Record<string, string>>, says: string | undefined]
> = [
  ['chain', 'chain', { user_agent: 'npm', yes: '' }, undefined],
  ['chain -- --generations 3', 'chain --generations 3', {}, undefined],
  ['chain --json -- --json', 'chain --json', { json: 'true' }, undefined],
  [
    'chain --generations 3',
    'chain 3',
    { generations: 'true' },
    'npm took --generations for itself; write: npm run chain -- --generations 3',
  ],
  [
    'chain --keep --providers=last',
    'chain',
    { keep: 'true', providers: 'last' },
    'npm took --providers and --keep for itself; write: npm run chain -- --providers last --keep',
  ],
  [
    'chain --generations 3 --memory 300',
    'chain 3 300',
    { generations: 'true', memory: 'true' },
    'npm took --generations and --memory for itself; write: npm run chain -- --generations <n> --memory <MiB>',
  ],
  [
    'harness boot --memory 160',
    'boot 160',
    { memory: 'true' },
    'npm took --memory for itself; write: npm run harness -- boot --memory 160',
  ],
  [
    'harness boot --no-shell',
    'boot',
    { shell: 'false' },
    'npm took --no-shell for itself; write: npm run harness -- boot --no-shell',
  ],
  [
    'harness exec vm1 --timeout 5 -- ls',
    'exec vm1 5 ls',
    { timeout: 'true' },
    'npm took --timeout for itself; write: npm run harness -- exec --timeout <seconds> …',
  ],
  ['harness boot --providers last', 'boot last', { providers: 'true' }, undefined],
  ['harness nonsense --keep', 'nonsense', { keep: 'true' }, undefined],
]

for (const [typed, argv, config, says] of CASES) {
  test(`npm run ${typed}: ${says === undefined ? 'nothing was taken' : 'an option was taken'}`, () => {
    const settings = Object.entries(config).map(([name, value]) => [`npm_config_${name}`, value])
    const env = { npm_lifecycle_event: typed.split(' ')[0], ...Object.fromEntries(settings) }
    assert.equal(takenByNpm(program, argv.split(' '), env), says)
  })
}

test('without npm, or in another script, the same environment means nothing', () => {
  const env = { npm_config_generations: 'true' }
  assert.equal(takenByNpm(program, ['chain', '3'], env), undefined)
  assert.equal(takenByNpm(program, ['chain', '3'], { ...env, npm_lifecycle_event: 'test' }), undefined)
})
