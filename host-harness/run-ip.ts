import { execa } from 'execa'
import { PlasmError } from '../service/errors.ts'

/** `ip` with these words. @throws PlasmError `network-failed` */
export const ip = (words: string): Promise<void> => runNetworkTool('ip', words.split(' '))

/** @throws PlasmError `network-failed` with what it said */
export async function runNetworkTool(program: string, args: readonly string[]): Promise<void> {
  const ran = await execa(program, args, { reject: false, stdin: 'ignore' })
  if (!ran.failed) return
  const said = ran.stderr.trim() || String(ran.shortMessage)
  throw new PlasmError('network-failed', `${program} ${args.join(' ')}: ${said}`, {
    facts: { step: 'network', program, said },
    hint: hintFor(said),
  })
}

function hintFor(said: string): string {
  if (said.includes('/dev/net/tun')) return 'make /dev/net/tun readable and writable for you, or run as root'
  return 'the host kernel needs bridge, veth and tun (modprobe bridge veth tun)'
}
