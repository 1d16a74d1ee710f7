import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { giveUpFiles } from '../../../agent/give-up-files.ts'
import { runProgram } from '../../../agent/run-program.ts'

test('a file is unlinked while its reader has it open, and is read to its end all the same', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-give-up-'))
  t.after(() => rm(directory, { recursive: true }))
  const [file, other, copy] = ['file', 'other', 'copy'].map((name) => join(directory, name)) as [string, string, string]
  await writeFile(file, 'content')
  await writeFile(other, 'not opened')
  // Holds the file open until its name is gone, and reads it only then.
  const script = `exec 3<"${file}"; for i in $(seq 200); do [ -e "${file}" ] || break; sleep 0.01; done; cat <&3 >"${copy}"`
  const { exit } = await runProgram('/bin/sh', ['-c', script], (pid) => giveUpFiles(pid, [file, other]))
  assert.equal(exit, '0')
  assert.equal(existsSync(file), false)
  assert.equal(await readFile(copy, 'utf8'), 'content')
  assert.equal(existsSync(other), true, 'what was not opened stays')
})
