import { relative } from 'node:path/posix';
import { stampFiles } from '../state/stamp.ts';
import type { Order } from './trigger.ts';

const { pulse, next, stamp } = stampFiles;
const state = 'master_scheduler_state.json';

/** A word of POSIX sh: single quotes leave all but themselves alone (XCU 2.2.2). */
export function quoteWord(word: string): string {
  return /^[\w/.:=@+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The line of POSIX sh that a trigger hands to /bin/sh: the guard, if it is wanted, and then the tick, in whose place the
 * shell steps aside (`exec`), so that a signal to the one reaches the other.
 *
 * The guard uses nothing but what is built into the shell. It ends the line only where nothing can be due for sure; see
 * state/stamp.ts for the files. In words: the trigger gives its sign of life; now lies before the next instant; it lies
 * after the moment at which that was reckoned, so the clock was not set back; nobody changed the state since; every file
 * on the stamp's list is there and older than the stamp, what was missing still is, and the time zone is the same. Every
 * comparison asks whether the one file is newer, so that equal times, which some shells round to seconds, are no answer.
 * Whether a file is there is asked before its time, for there the shells differ. `true` touches the pulse, since a shell
 * ends where the special built-in `:` can't write.
 *
 * @param before what the line has to do for the tick alone: setting its PATH
 * @param after redirections of the tick
 */
export function writeLine(order: Order, { before = '', after = '' }: { before?: string; after?: string } = {}): string {
  const tick = `exec ${quoteWord(order.node)} ${quoteWord(order.program)} -C "$w" tick`;
  const start = `w=${quoteWord(order.workspace)}; `;
  if (!order.guard) return `${start}cd "$w"; ${before}${tick}${after}`;
  const checks = [
    `{ cd ${outputsWord(order)} && true >${pulse}; } 2>/dev/null`,
    `[ ${next} -nt ${pulse} ]`,
    `[ ${pulse} -nt ${stamp} ]`,
    `[ -r ${stamp} ]`,
    `[ -e ${state} ]`,
    `! [ ${state} -nt ${stamp} ]`,
  ];
  const cases = [
    '.) exit 0;;',
    '-*) [ -e "${f#-}" ] && break;;',
    '=*) [ /etc/localtime -ef "${f#=}" ] || break;;',
    `*) [ -e "$f" ] && [ ${stamp} -nt "$f" ] || break;;`,
  ];
  const list = `while IFS= read -r f; do case $f in ${cases.join(' ')} esac; done <${stamp}`;
  return `${start}${checks.join(' && ')} && ${list}; cd "$w"; ${before}${tick} --stamp${after}`;
}

function outputsWord({ workspace, outputs }: Order): string {
  const inside = relative(workspace, outputs);
  return inside === '' || inside.startsWith('..') ? quoteWord(outputs) : `"$w"/${quoteWord(inside)}`;
}
