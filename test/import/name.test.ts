import { expect, it } from 'vitest';
import { groupEntries } from '../../src/import/grouping/group-entries.ts';
import { read } from './corpus.ts';

const name = (text: string, file = 'table') =>
  groupEntries(read('crontab', [{ name: file, text }]).entries, { applies: false }).groups.map((group) => group.name);

it.each<[string, string, string[]]>([
  ['the script', '0 3 * * * /opt/jobs/clean_cache.sh --all\n', ['clean_cache']],
  ['the program and its subcommand', '0 3 * * * certbot renew --quiet\n', ['certbot_renew']],
  [
    'the common prefix of several scripts',
    '0 3 * * * /opt/jobs/backup_db.sh\n5 3 * * * /opt/jobs/backup_home.sh\n10 3 * * * /opt/jobs/backup_mail.sh\n',
    ['backup'],
  ],
  [
    'the common folder of several scripts',
    '0 3 * * * /srv/etl/extract.py\n5 3 * * * /srv/etl/transform.py\n10 3 * * * /srv/etl/load.py\n',
    ['etl'],
  ],
  [
    'the common lock of several scripts',
    '0 3 * * * flock -n /tmp/dump.lock /a/one.sh\n5 3 * * * flock -n /tmp/dump.lock /b/two.sh\n',
    ['dump'],
  ],
  ['each of its scripts, if they are few', '0 3 * * * /a/sweep.sh\n5 3 * * * /b/polish.sh\n', ['sweep_polish']],
  [
    'its schedule, if its scripts have nothing else in common',
    '0 3 * * * /a/one.sh\n1 3 * * * /b/two.sh\n2 3 * * * /c/three.sh\n3 3 * * * /d/four.sh\n',
    ['daily_0300'],
  ],
  ['the folder of run-parts', '0 3 * * * cd / && run-parts --report /etc/cron.daily\n', ['cron_daily']],
  [
    'its script and its schedule, if the script has two schedules',
    '0 3 * * * /opt/sync.sh\n*/10 * * * * /opt/sync.sh\n',
    ['sync', 'sync_daily_0300'],
  ],
  ['its schedule, if the command has no words', '0 3 * * * :\n', ['daily_0300']],
  ['the valid part of a word that is not a valid name', '0 3 * * * /opt/7zip.sh\n', ['zip']],
])('an imported group is named after %s', (_, text, expected) => {
  expect(name(text)).toEqual(expected);
});

it('an imported group is named after its file in cron.d, not after the condition of its command', () => {
  expect(
    name(
      '30 3 * * 0 root test -e /run/systemd/system || /usr/lib/e2fsprogs/e2scrub_all_cron\n',
      '/etc/cron.d/e2scrub_all',
    ),
  ).toEqual(['e2scrub_all']);
});
