import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { sha256File } from '../../images/files.ts'
import { hostArch } from '../../service/arch.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { proveChain } from '../support/prove-chain.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

test('machines whose plasmd is a foreign program boot each other, and only the receipts are missing', {
  skip,
}, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-foreign-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const program = join(directory, 'plasmd')
  const source = join(ROOT, 'test/support/foreign-plasmd.c')
  await execa('gcc', ['-static', '-Os', '-s', '-Wall', '-Wextra', '-Werror', '-o', program, source])

  const proof = await proveChain('--arch', hostArch(), '--generations', '2', '--plasmd', program)
  assert.deepEqual([proof.ok, proof.plasmd, proof.lineageVerified], [true, 'foreign', false])
  const [first, second] = proof.generations
  assert.deepEqual([first?.provider.machine, first?.provenBy], ['origin', 'receipt'], 'the origin is ours')
  assert.deepEqual([second?.provider.machine, second?.provenBy], ['vm1', null], 'what serves in vm1 gives no receipts')
  assert.equal(second?.generation, 2)
  for (const { evidence, signed, discoveredBy } of proof.generations) {
    assert.deepEqual([evidence.servesSameSet, signed, discoveredBy], [true, true, 'mdns'])
    assert.deepEqual([evidence.kernelBanners, evidence.resets, evidence.bytesFromOthers], [2, 0, 0])
    assert.ok(evidence.bytesFromProvider >= proof.setBytes)
  }

  const systemd = await proveChain(
    '--arch',
    hostArch(),
    '--generations',
    '1',
    '--plasmd',
    program,
    '--rootfs',
    'debian',
  )
  assert.deepEqual([systemd.plasmd, systemd.rootfs, systemd.serviceManager], ['foreign', 'debian', 'systemd'])
  const inputs = JSON.parse(
    await readFile(join(ROOT, 'build/images-foreign/stable', hostArch(), 'inputs.json'), 'utf8'),
  )
  assert.deepEqual([inputs.plasmd.file, inputs.plasmd.sha256], ['plasmd', await sha256File(program)])
})
