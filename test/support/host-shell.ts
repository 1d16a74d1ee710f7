import { Duplex } from 'node:stream'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type GuestExec, openGuestExec } from '../../host-harness/guest-exec.ts'

const SCRIPT = fileURLToPath(new URL('./host-shell.sh', import.meta.url))
const HOST_SHELL = fileURLToPath(new URL('../../init/host-shell', import.meta.url))

/**
 * Both real ends of `exec`, with a terminal between them for want of a virtio-serial port.
 * @param shell what runs init/host-shell, such as `busybox sh`
 * @param namespaces arguments of `unshare`
 */
export function openHostShell(t: TestContext, shell: readonly string[], namespaces: readonly string[]): GuestExec {
  const words = ['unshare', ...namespaces, SCRIPT, HOST_SHELL, ...shell].map((word) => `'${word}'`)
  const terminal = execa('script', ['-qec', words.join(' '), '/dev/null'], { reject: false, buffer: false })
  t.after(() => {
    terminal.kill()
    return terminal
  })
  return openGuestExec(Duplex.from({ readable: terminal.stdout, writable: terminal.stdin }), 'vm1')
}
