import { formatDistance, formatLength } from '../report/quantities.ts';
import { type Check, complain, type Finding, ok, type Site, warn, withoutStop } from './doctor.ts';

/** What starts the ticks: whether it is registered, and whether it comes. */
export const triggerChecks: readonly Check[] = [
  { name: 'trigger', look: lookAtTriggers },
  { name: 'ticks', look: lookAtTicks },
];

function lookAtTriggers({ triggers, config, lastSign, now }: Site): Omit<Finding, 'check'>[] {
  if (triggers === null || config === null) return [];
  if (triggers.length === 0) {
    const comes = lastSign !== null && now - lastSign < 2 * config.tickEvery;
    const text = 'no trigger of rhythm is registered for this workspace';
    return [
      comes
        ? warn(`${text}, but something starts ticks, or somebody by hand`, 'rhythm install')
        : complain(text, 'rhythm install'),
    ];
  }
  const findings = triggers.flatMap(({ trigger, where, every, problems }) => {
    if (problems.length > 0) return problems.map((problem) => complain(`${trigger}: ${withoutStop(problem)}`, null));
    if (every !== null && every !== config.tickEvery) {
      const text = `${trigger} starts a tick every ${formatLength(every)}, and tickEvery is ${formatLength(config.tickEvery)}`;
      return [warn(text, 'set tickEvery to what is right, then rhythm install')];
    }
    return [ok(`${trigger} starts the ticks (${where})`)];
  });
  if (triggers.length > 1) {
    const names = triggers.map(({ trigger, where }) => `${trigger} (${where})`).join(', ');
    findings.push(
      warn(`several triggers start ticks here, which does no harm: ${names}`, 'rhythm uninstall --trigger …'),
    );
  }
  return findings;
}

function lookAtTicks({ config, lastSign, now }: Site): Omit<Finding, 'check'>[] {
  if (config === null) return [];
  if (lastSign === null) return [complain('no tick has come yet', 'rhythm install')];
  if (now - lastSign > 2 * config.tickEvery) {
    const text = `no tick for ${formatLength(now - lastSign)}; one is expected every ${formatLength(config.tickEvery)}`;
    return [complain(text, 'rhythm install')];
  }
  const distance = formatDistance(Math.min(lastSign, now), now);
  return [ok(`the last tick came ${distance === 'now' ? 'just now' : distance}`)];
}
