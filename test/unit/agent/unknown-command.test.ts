import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isNear } from '../../../agent/cli/unknown-command.ts'
import { plasmAgent } from '../../../agent/cli.ts'

test('one slip, or a beginning, is near a name; two slips are not', () => {
  for (const [word, name] of [
    ['bot', 'boot'],
    ['booot', 'boot'],
    ['boit', 'boot'],
    ['sevre', 'serve'],
    ['logsx', 'logs'],
    ['up', 'update'],
  ] as const) {
    assert.ok(isNear(word, name), `${word} is near ${name}`)
  }
  for (const [word, name] of [
    ['foo', 'boot'],
    ['b', 'boot'],
    ['', 'boot'],
    ['root', 'logs'],
    ['prove', 'serve'],
  ] as const) {
    assert.ok(!isNear(word, name), `${word} is not near ${name}`)
  }
})

test('an unknown command is answered by the one that was meant, else by all', async (t) => {
  let said = ''
  t.mock.method(process.stderr, 'write', (text: string) => {
    said += text
    return true
  })
  const answer = async (word: string) => {
    said = ''
    return [await plasmAgent([word]), said]
  }
  const HELP = '  plasm-agent --help says what there is\n'
  assert.deepEqual(await answer('sttus'), [2, `error: unknown command 'sttus'\n(Did you mean status?)\n${HELP}`])
  const [code, foo] = await answer('foo')
  assert.equal(code, 2)
  assert.match(String(foo), /^error: unknown command 'foo'; there are\n {2}boot, serve, status, .*, complete\n/)
  assert.doesNotMatch(String(foo), /Did you mean/)
})
