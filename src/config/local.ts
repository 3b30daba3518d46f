import { readLocalOffset } from '../schedule/local.ts';
import { isUtc, segmentAt } from '../schedule/zone.ts';
import type { Config } from './config.ts';
import { findZoneFile } from './kept.ts';

const month = 30 * 86_400_000;
const monthsCompared = 24;

/**
 * The time zones of a configuration that are the system's, for as long as this machine is described as it is now
 * (`describeMachine` in config/kept.ts): Date can be asked for their wall clocks. Empty in any doubt. Asks Intl, and so
 * belongs where a configuration is read anew.
 */
export function findLocalZones({ timezone, groups }: Config): string[] {
  const names = new Set([timezone]);
  for (const { schedule } of groups) if (schedule.kind === 'calendar') names.add(schedule.timezone);
  const foreign = [...names].filter((name) => !isUtc(name));
  if (foreign.length === 0) return [];
  const system = findSystemZone();
  return system === null ? [] : foreign.filter((name) => canonicalName(name) === system && showsLocalTime(name));
}

/** What Intl calls the system's zone, if it goes by a name that tells it. */
function findSystemZone(): string | null {
  const name = process.env.TZ ?? /\/zoneinfo\/(.*)$/.exec(findZoneFile() ?? '')?.[1] ?? '';
  // Of rules, paths and the like each part of Node makes something of its own, as of short names that may be an
  // abbreviation: with TZ=CST, Intl shows the time of Chicago and Date that of Greenwich.
  if (!/^[A-Za-z_]+\/[\w+/-]+$/.test(name)) return null;
  const canonical = canonicalName(name);
  return canonical === new Intl.DateTimeFormat().resolvedOptions().timeZone ? canonical : null;
}

function canonicalName(timezone: string): string | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: timezone }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/** A second opinion on the names. */
function showsLocalTime(timezone: string): boolean {
  const now = Date.now();
  for (let months = 0; months < monthsCompared; months++) {
    const instant = now + months * month;
    if (readLocalOffset(instant) !== segmentAt(timezone, instant).offset) return false;
  }
  return true;
}
