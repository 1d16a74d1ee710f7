import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { handover } from '../../agent/handover-command.ts'
import { HANDOVER_DIR } from '../../agent/handover-layout.ts'
import { makeMachine } from '../support/boot-machine.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'

const run = promisify(execFile)

/** A directory as some other init leaves it after its download. */
async function downloaded(t: TestContext, set: TestSet) {
  const machine = await makeMachine('')
  t.after(() => machine.remove())
  const directory = join(machine.directory, 'phase-boot')
  await mkdir(directory)
  await writeFile(join(directory, 'manifest.json'), set.manifest)
  for (const [name, bytes] of Object.entries(set.files)) await writeFile(join(directory, name), bytes)
  const initrd = join(machine.directory, 'initrd')
  const { sources, trustFile } = machine.parts
  return {
    directory,
    initrd,
    root: machine.directory,
    request: { directory, initrd, sources: sources!, trustFile: trustFile! },
  }
}

test('handover builds an initrd that carries the whole set', async (t) => {
  const set = makeSet()
  const { request, initrd, root } = await downloaded(t, set)
  const kernel = join(root, 'kernel')
  const result = await handover({ ...request, kernel, provider: 'http://10.0.0.1:8080/' })
  assert.match(result.append, /^plasm\.stage=serve plasm\.boot=[0-9a-f]{32}$/)
  const built = await readFile(initrd)
  assert.equal(built.length, result.initrdBytes)
  assert.deepEqual(await readFile(kernel), set.files.vmlinuz)
  await writeFile(join(root, 'carry.cpio'), built.subarray(set.prefixBytes))
  const { stdout } = await run('cpio', ['-it', '--quiet', '-F', join(root, 'carry.cpio')])
  assert.deepEqual(stdout.trim().split('\n').slice(-6), [
    `${HANDOVER_DIR}/manifest.json`,
    `${HANDOVER_DIR}/kernel`,
    `${HANDOVER_DIR}/initramfs`,
    `${HANDOVER_DIR}/rootfs`,
    `${HANDOVER_DIR}/node-key`,
    `${HANDOVER_DIR}/boot-record.json`,
  ])
  const extract = async (name: string) => {
    const options = { encoding: 'buffer' as const, maxBuffer: 1 << 26 }
    return (
      await run(
        'cpio',
        ['-i', '--quiet', '--to-stdout', '-F', join(root, 'carry.cpio'), `${HANDOVER_DIR}/${name}`],
        options,
      )
    ).stdout
  }
  assert.deepEqual(await extract('initramfs'), set.files['initramfs.img'])
  assert.equal(JSON.parse((await extract('boot-record.json')).toString('utf8')).provider.url, 'http://10.0.0.1:8080')
})

test('an initramfs of some other project is carried behind all of itself', async (t) => {
  const foreign = Buffer.from('not a cpio archive of ours, and of a length that is no multiple of 4!')
  const { request, initrd } = await downloaded(t, makeSet({ initramfs: foreign, chunkBytes: null }))
  await handover(request)
  const built = await readFile(initrd)
  assert.deepEqual(built.subarray(0, foreign.length), foreign)
  const carried = Math.ceil(foreign.length / 4) * 4
  assert.equal(built.toString('latin1', carried, carried + 6), '070701')
})

const damage: ReadonlyArray<{
  code: string
  chunkBytes: number | null
  harm: (set: TestSet) => Record<string, Buffer>
}> = [
  {
    code: 'chunk-digest-mismatch',
    chunkBytes: 65536,
    harm: ({ files }) => ({ vmlinuz: Buffer.from(files.vmlinuz!).fill(0, 70_000, 70_100) }),
  },
  {
    code: 'artifact-digest-mismatch',
    chunkBytes: null,
    harm: ({ files }) => ({ vmlinuz: Buffer.from(files.vmlinuz!).fill(0, 70_000, 70_100) }),
  },
  { code: 'artifact-size', chunkBytes: 65536, harm: ({ files }) => ({ vmlinuz: files.vmlinuz!.subarray(1) }) },
]

for (const { code, chunkBytes, harm } of damage) {
  test(`handover refuses a damaged set with ${code} and leaves nothing behind`, async (t) => {
    const set = makeSet({ chunkBytes })
    const { request, initrd, directory } = await downloaded(t, set)
    for (const [name, bytes] of Object.entries(harm(set))) await writeFile(join(directory, name), bytes)
    await assert.rejects(handover(request), { code })
    await assert.rejects(access(initrd), { code: 'ENOENT' })
  })
}

test('handover refuses a directory where an artifact is missing', async (t) => {
  const set = makeSet()
  const { request, initrd } = await downloaded(t, { ...set, files: { vmlinuz: set.files.vmlinuz! } })
  await assert.rejects(handover(request), {
    code: 'artifact-missing',
    facts: { artifact: 'initramfs', directory: request.directory },
  })
  await assert.rejects(access(initrd), { code: 'ENOENT' })
})
