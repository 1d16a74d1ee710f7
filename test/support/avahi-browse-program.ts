import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/**
 * Starts avahi-daemon and its message bus here, on a /run of their own (run it in a mount namespace), and prints what it resolves of
 * our service as JSON: the fields of each line of `avahi-browse --parsable`. Needs PLASM_MOUNTS=1 in a mount namespace.
 */
if (!process.env.PLASM_MOUNTS) {
  const again = ['--mount', process.execPath, ...process.argv.slice(1)]
  execFileSync('unshare', again, { env: { ...process.env, PLASM_MOUNTS: '1' }, stdio: 'inherit' })
  process.exit()
}
const policy = `<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow send_type="signal"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="signal"/><allow receive_type="error"/></policy>`
execFileSync('mount', ['-t', 'tmpfs', 'none', '/run'])
execFileSync(fileURLToPath(new URL('./avahi-etc.sh', import.meta.url)))
mkdirSync('/run/dbus')
writeFileSync(
  '/run/bus.conf',
  `<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>${policy}</busconfig>`,
)
writeFileSync('/run/avahi.conf', '[server]\nhost-name=browser\nuse-ipv4=yes\nuse-ipv6=yes\n')
const bus = spawn('dbus-daemon', ['--config-file=/run/bus.conf', '--nofork', '--nopidfile'], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
await sleep(300)
const options = ['--no-drop-root', '--no-chroot', '--no-rlimits']
const daemon = spawn('avahi-daemon', ['-f', '/run/avahi.conf', ...options], { stdio: 'ignore' })
await sleep(2500)
const browse = ['--resolve', '--parsable', '--terminate', '_phase-image._tcp']
const lines = execFileSync('avahi-browse', browse, { encoding: 'utf8' }).split('\n')
daemon.kill()
bus.kill()
console.log(JSON.stringify(lines.filter((line) => line.startsWith('=')).map((line) => line.split(';'))))
