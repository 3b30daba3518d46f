export const secret = 'hunter2-hunter2';

/**
 * What every script runs: `sh work.sh LANE SECONDS MANNER`. It notes its start and its end in the ledger, holds a lock of
 * its own on its lane, and looks whether the state on disk knows of its run.
 */
export const work = `
say() {
  printf '%s %s %s %s %s %s %s\\n' "$1" "$RHYTHM_GROUP" "$RHYTHM_SCRIPT" "$RHYTHM_RUN_ID" "\${RHYTHM_BEAT:--}" \\
    "$RHYTHM_ATTEMPT" "$2" >>"$RHYTHM_WORKSPACE/ledger"
}
exec 9>>"$RHYTHM_WORKSPACE/lane-$1"
flock -n 9 || say overlap 0
grep -q "\\"runId\\": \\"$RHYTHM_RUN_ID\\"" "$RHYTHM_OUTPUTS/master_scheduler_state.json" || say unleased 0
say start $$
echo "$RHYTHM_SCRIPT was told $CHAOS_SECRET"
case $3 in
stubborn)
  trap '' TERM INT HUP
  setsid sh -c 'trap "" TERM INT HUP; exec sleep 600' 9>&- &
  ;;
esac
sleep "$2" 9>&-
[ "$3" != stubborn ] || kill -9 $!
status=0
case $3 in
fails) status=3 ;;
flaky) [ "$RHYTHM_ATTEMPT" -gt 1 ] || status=4 ;;
moody) [ ! -e "$RHYTHM_WORKSPACE/storm" ] || status=5 ;;
esac
say end "$status"
exit "$status"
`;

/** One script of a group, as the configuration has it. */
export function script(name: string, lane: string, seconds: number, manner = 'good', more: object = {}) {
  const env = { LD_PRELOAD: '', CHAOS_SECRET: secret };
  return { name, command: 'sh', args: ['work.sh', lane, String(seconds), manner], env, ...more };
}
