import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { HandedOverSet } from '../../../agent/handover.ts'
import { execute, load, loadArguments } from '../../../agent/kexec.ts'

test('arguments of both system calls', () => {
  const image = { kernel: '/k', initrd: '/i', commandLine: 'a b="c d"' }
  assert.deepEqual(loadArguments('load', image), ['-c', '-i', '-l', '/k', '--initrd=/i', '--command-line=a b="c d"'])
  assert.deepEqual(loadArguments('file-load', image), ['-s', '-l', '/k', '--initrd=/i', '--command-line=a b="c d"'])
})

/** A program in kexec's place that answers as a shell fragment says and keeps its first arguments. */
async function kexecThat(t: TestContext, says: string) {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-kexec-'))
  t.after(() => rm(directory, { recursive: true }))
  const program = join(directory, 'kexec')
  await writeFile(program, `#!/bin/sh\necho "$1" >>"${directory}/calls"\n${says}\n`)
  await chmod(program, 0o755)
  return { program, calls: async () => (await readFile(join(directory, 'calls'), 'utf8')).trim().split('\n') }
}
const set = { files: { initrd: '/dev/null', kernel: '/dev/null' }, arch: 'x86_64' } as HandedOverSet
const EPERM = 'echo "kexec_load failed: Operation not permitted" >&2; exit 255'

test('falls back to kexec_file_load where lockdown refuses kexec_load', async (t) => {
  const { program, calls } = await kexecThat(t, `[ "$1" = -s ] || { ${EPERM}; }`)
  assert.equal((await load(program, set, '')).mode, 'file-load')
  assert.deepEqual(await calls(), ['-c', '-s'])
})

test('both refused is said so', async (t) => {
  const { program } = await kexecThat(t, EPERM)
  await assert.rejects(load(program, set, ''), { code: 'kexec-load-refused' })
})

test('another failure is no reason for another mode', async (t) => {
  const { program, calls } = await kexecThat(t, 'echo "Cannot open /k" >&2; exit 1')
  await assert.rejects(load(program, set, ''), {
    code: 'kexec-load-failed',
    facts: { program, exit: '1', said: 'Cannot open /k' },
  })
  assert.deepEqual(await calls(), ['-c'])
})

test('a signal is not taken for exit 0, and coming back is a failure', async (t) => {
  const killed = await kexecThat(t, 'kill -KILL $$')
  await assert.rejects(load(killed.program, set, ''), { code: 'kexec-load-failed' })
  const { program } = await kexecThat(t, 'exit 0')
  await assert.rejects(execute(await load(program, set, '')), { code: 'kexec-exec-failed' })
})
