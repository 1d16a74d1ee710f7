import { execFile } from 'node:child_process'

/**
 * Tells systemd about this service (sd_notify(3)), such as `READY=1`; does nothing where it was not started by systemd. Node
 * has no datagram sockets of that kind, so systemd-notify(1) does it, which waits until it was heard. Never throws: whoever
 * listens does without it.
 */
export function tellSystemd(...assignments: readonly string[]): void {
  if (!process.env.NOTIFY_SOCKET) return
  execFile('systemd-notify', assignments, () => {})
}
