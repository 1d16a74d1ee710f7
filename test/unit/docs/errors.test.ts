import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const SOURCES = '{service,agent,images,host-harness}/**/*.ts'
const read = (file: string) => readFileSync(`${ROOT}${file}`, 'utf8')

/** Files that compute a code instead of writing it where the error is made, and what they can come to. */
const COMPUTED: Readonly<Record<string, readonly string[]>> = {
  'agent/artifact-receiver.ts': ['artifact-digest-mismatch', 'chunk-digest-mismatch'],
  // Made in the agent that was asked.
  'agent/update-command.ts': [],
  // Here one more is passed on from parseManifest as it is.
  'agent/verify.ts': ['wrong-channel', 'wrong-arch'],
  // Made in the run that was asked.
  'host-harness/control-client.ts': [],
  'host-harness/wait-ready.ts': ['machine-died', 'machine-reset', 'not-ready-in-time'],
  'images/apt-root.ts': ['package-gone', 'package-missing'],
}

interface Made {
  readonly file: string
  /** undefined: computed. */
  readonly code: string | undefined
}

const MADE: readonly Made[] = globSync(SOURCES, { cwd: ROOT }).flatMap((file) =>
  [...read(file).matchAll(/new PlasmError\(\s*(?:'([^']+)')?/g)].map(([, code]) => ({ file, code })),
)
const CODES = new Set([...MADE.flatMap(({ code }) => code ?? []), ...Object.values(COMPUTED).flat()])
/** A code's row begins with it: | `code` | … */
const LISTED = [...read('docs/errors.md').matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, code]) => code!)

test('docs/errors.md lists every code that the sources can make', () => {
  assert.ok(MADE.length > 50, `${MADE.length} errors made in the sources: the pattern no longer fits them`)
  assert.deepEqual([...CODES].filter((code) => !LISTED.includes(code)).sort(), [])
})

test('docs/errors.md lists no code that the sources no longer make, and none twice', () => {
  assert.deepEqual(LISTED.filter((code) => !CODES.has(code)).sort(), [])
  assert.equal(LISTED.length, new Set(LISTED).size)
})

test('computed codes are those that this test knows of', () => {
  const files = new Set(MADE.flatMap(({ file, code }) => (code === undefined ? [file] : [])))
  assert.deepEqual([...files].sort(), Object.keys(COMPUTED).sort())
  for (const [file, codes] of Object.entries(COMPUTED)) {
    const text = read(file)
    for (const code of codes) {
      // Whole, or as a template's fixed part: `wrong-${what}`.
      const template = `\`${code.replace(/[^-]+$/, '')}\${`
      assert.ok(text.includes(`'${code}'`) || text.includes(template), `${file} no longer makes ${code}`)
    }
  }
})

test('codes are kebab-case', () => {
  for (const code of CODES) assert.match(code, /^[a-z]+(-[a-z]+)*$/)
})
