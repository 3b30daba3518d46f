import { statSync } from 'node:fs';
import { formatInstant } from '../plan/because.ts';
import { countOf, formatLength } from '../report/quantities.ts';
import { isTimeZone } from '../schedule/zone.ts';
import { type Check, complain, ok, type Site, warn } from './doctor.ts';

/** The oldest Node that rhythm runs on. */
const oldestNode = [20, 19] as const;
const day = 86_400_000;
/** Clocks of one machine differ by so much, ms, between two looks. */
const tolerance = 5_000;

/** The machine itself: Node, the clock, the time zones. */
export const machineChecks: readonly Check[] = [
  { name: 'configuration', look: lookAtConfig },
  { name: 'node', look: lookAtNode },
  { name: 'clock', look: lookAtClock },
  { name: 'time zones', look: lookAtZones },
];

function lookAtConfig({ config, configTrouble }: Site) {
  if (config === null) return [complain(configTrouble ?? 'there is no configuration', 'rhythm validate')];
  return [ok(`the configuration is valid: ${countOf(config.groups.length, 'group')}`)];
}

function lookAtNode({ environment }: Site) {
  const version = process.versions.node;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  const findings = [
    isOld
      ? complain(`Node ${version} is older than ${oldestNode.join('.')}`, 'install a newer Node, then rhythm install')
      : ok(`Node ${version}, ${process.execPath}`),
  ];
  if (environment.NODE_EXTRA_CA_CERTS && major < 22) {
    const text = 'NODE_EXTRA_CA_CERTS is set, and this Node reads those files at each start, which takes some 55 ms';
    findings.push(warn(text, 'unset it for the trigger, unless scripts need it'));
  }
  return findings;
}

function lookAtClock({ config, newest, now }: Site) {
  const zone = config?.timezone ?? 'UTC';
  const tell = (instant: number) => formatInstant(instant, null, zone);
  const mend =
    process.platform === 'linux' ? 'timedatectl set-ntp true' : 'let the system set its clock by the network';
  const year = new Date(now).getUTCFullYear();
  if (year < 2025 || year > 2100) return [complain(`the clock says ${tell(now)}`, mend)];
  const last = newest === null ? null : Date.parse(newest.at);
  if (last !== null && last - now > tolerance) {
    const text = `the clock says ${tell(now)}, but the newest record is from ${tell(last)}: it went back by ${formatLength(last - now)}`;
    return [complain(text, mend)];
  }
  const changed = config === null ? 0 : (statSync(config.file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  if (changed - now > tolerance) {
    return [
      warn(`the clock says ${tell(now)}, but the configuration is from ${tell(changed)}: is the clock behind?`, mend),
    ];
  }
  if (last !== null && now - last > 366 * day) {
    const text = `the clock says ${tell(now)}, and the newest record is from ${tell(last)}: is the clock ahead?`;
    return [warn(text, mend)];
  }
  return [ok(`the clock says ${tell(now)} (${zone})`)];
}

function lookAtZones({ config, environment }: Site) {
  const mend = 'install a Node with all time zones (full-icu), or set NODE_ICU_DATA';
  const schedules = (config?.groups ?? []).map(({ schedule }) => schedule);
  const used = schedules.flatMap((schedule) => (schedule.kind === 'calendar' ? [schedule.timezone] : []));
  const zones = [...new Set([...used, ...(config === null ? [] : [config.timezone])])];
  const unknown = zones.filter((zone) => !isTimeZone(zone));
  if (unknown.length > 0) return [complain(`this Node does not know ${unknown.join(', ')}`, mend)];
  // A zone that is far from UTC at any time of the year: without data it is taken for UTC.
  const format = new Intl.DateTimeFormat('en', { timeZone: 'Asia/Tokyo', hour: 'numeric', hourCycle: 'h23' });
  if (format.format(0) !== '09') return [complain('this Node has no data about time zones', mend)];
  const { TZ } = environment;
  if (TZ !== undefined && TZ !== '' && !isTimeZone(TZ.replace(/^:/, ''))) {
    const text = `TZ is ${JSON.stringify(TZ)}, which is no time zone of this system`;
    return [warn(text, 'unset TZ, or set it to a name such as Europe/Berlin')];
  }
  return [ok(`time zones are known (data of ${process.versions.tz ?? 'the system'})`)];
}
