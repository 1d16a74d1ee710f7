import { boot } from './boot.ts'
import { devicesAreThere } from './devices.ts'
import { createLog } from './log.ts'
import { readBootId } from './make-record.ts'
import { createReporter } from './report.ts'

/** `plasm-agent boot`: the fetch stage with this machine's log and reporter. @returns an exit code */
export async function bootStage(): Promise<number> {
  await devicesAreThere()
  const log = createLog('plasm-agent')
  return boot({
    sinks: [log.sink],
    openReporter: ({ reportUrl, token, runId, machine }, peerId) =>
      createReporter({ url: reportUrl, token, runId, machine, peerId, bootId: readBootId(), say: log.say }),
  })
}
