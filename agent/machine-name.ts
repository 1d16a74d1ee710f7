import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Linux's ARPHRD_ETHER, as /sys/class/net/<interface>/type shows it. */
const ETHERNET = '1'

/**
 * `plasm-` and six hex digits: the end of the first Ethernet interface's MAC, or of the machine id where there is no such
 * interface. The MAC comes first since it is the same before and after a kexec, and init/init names the host by it.
 */
export async function machineName(sources: { netDir?: string; machineIdFile?: string } = {}): Promise<string> {
  const mac = await firstMac(sources.netDir ?? '/sys/class/net')
  const id = mac ?? (await read(sources.machineIdFile ?? '/etc/machine-id'))
  return id && id.length >= 6 ? `plasm-${id.slice(-6)}` : 'plasm'
}

async function firstMac(netDir: string): Promise<string | undefined> {
  const interfaces = await readdir(netDir).catch(() => [])
  for (const name of interfaces.sort()) {
    if ((await read(join(netDir, name, 'type'))) !== ETHERNET) continue
    const address = await read(join(netDir, name, 'address'))
    if (address) return address.replaceAll(':', '')
  }
  return undefined
}

const read = (file: string) =>
  readFile(file, 'utf8').then(
    (text) => text.trim().toLowerCase(),
    () => undefined,
  )
