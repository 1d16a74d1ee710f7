import type { AddCommand } from '../../service/add-command.ts'

export const addServe: AddCommand = (program, done) => {
  program
    .command('serve')
    .description('serve stage: serve what this machine was booted from')
    .action(async () => done(await (await import('../serve-stage.ts')).serveStage()))
}
