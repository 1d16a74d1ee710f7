import { spawnSync } from 'node:child_process'

/** Why system calls cannot be tampered with here; an empty object where they can. */
export function straceHere(): { skip?: string } {
  const ran = spawnSync('strace', ['-f', '-e', 'trace=fsync', '-e', 'inject=fsync:error=EIO', 'true'], {
    encoding: 'utf8',
  })
  if (ran.status === 0) return {}
  return { skip: `strace does not work here: ${ran.error?.message ?? ran.stderr.split('\n')[0]}` }
}
