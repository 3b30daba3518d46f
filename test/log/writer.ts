/**
 * A process that logs: `writer.js FILE NAME LINES MAX_SIZE END`. It tells each line's number on its output once the
 * line is logged, unless END is `quiet`; where END is `exit` it calls process.exit right after the last line, and where it
 * is `hang` it goes on for ever.
 */
import { writeSync } from 'node:fs';
import { openLog } from '../../src/log/log.ts';

const [file = '', name = '', lines = '', maxSize = '', end = ''] = process.argv.slice(2);
const log = openLog({ file, format: 'text', maxSize: Number(maxSize), maxFiles: 500, secrets: [] });
for (let line = 1; end === 'hang' || line <= Number(lines); line++) {
  log.info({ group: 'group', script: name }, `line ${line} of ${name}`);
  if (end !== 'quiet') tell(`${line}\n`);
}
if (end === 'exit') process.exit(0);

/** Standard output is a socket here, which does not block when it is full. */
function tell(text: string): void {
  for (;;) {
    try {
      writeSync(1, text);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
