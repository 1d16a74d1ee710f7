import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { release } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { IMAGE_ARCHES } from '../../images/arch-table.ts'
import { hostArch } from '../../service/arch.ts'

const AS_ROOT = fileURLToPath(new URL('../../images/as-root.sh', import.meta.url))
const other = IMAGE_ARCHES[hostArch() === 'x86_64' ? 'arm64' : 'x86_64']
const EMULATE = ['--emulate', `/usr/bin/${other.emulator}`, other.elfMachine]
/** From Linux 6.7 on, a user namespace may have a binfmt_misc of its own. */
const [major = 0, minor = 0] = release().split('.').map(Number)
/** In a chroot the kernel makes none (user_namespaces(7)). */
const hasUserNamespaces = !(await execa('unshare', ['--user', 'true'], { reject: false })).failed
const emulates =
  existsSync(`/proc/sys/fs/binfmt_misc/${other.emulator.replace('-static', '')}`) ||
  (process.getuid?.() === 0 && hasUserNamespaces && (major > 6 || (major === 6 && minor >= 7)))
const skip = emulates ? false : 'no binfmt_misc for this test'

const exitOf = async (...words: string[]) => (await execa(AS_ROOT, words, { reject: false })).exitCode

test('a command runs as root, and its exit code comes out', { skip: process.getuid?.() !== 0 }, async () => {
  assert.equal((await execa(AS_ROOT, ['id', '-u'])).stdout, '0')
  assert.deepEqual([await exitOf('true'), await exitOf('sh', '-c', 'exit 7')], [0, 7])
})

test("so it does where another architecture's programs run, and the host learns nothing of them", {
  skip,
}, async () => {
  const before = existsSync('/proc/sys/fs/binfmt_misc/register')
  assert.deepEqual([await exitOf(...EMULATE, 'true'), await exitOf(...EMULATE, 'sh', '-c', 'exit 7')], [0, 7])
  const { stdout } = await execa(AS_ROOT, [...EMULATE, 'sh', '-c', 'id -u; ls /proc/sys/fs/binfmt_misc'])
  assert.match(stdout, new RegExp(`^0\\n[^]*${other.emulator.replace('-static', '')}`))
  assert.equal(existsSync('/proc/sys/fs/binfmt_misc/register'), before)
})
