import type { Order } from './trigger.ts';

/** Before the record of an entry, wherever that stands: in a comment of a crontab or a unit, in an element of XML. */
const mark = 'rhythm-trigger';

/**
 * What an entry was made from, to be kept within it: one line of ASCII without anything that XML, a unit or a crontab
 * would take for its own, so that it survives any of them and any code page.
 */
export function writeRecord(order: Order): string {
  const text = JSON.stringify(order);
  const escaped = text.replace(
    /[^ -~]|[<>&%$]|-(?=-)/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${mark} ${escaped}`;
}

/** The record within a text; null where there is none that can be read. */
export function readRecord(text: string): Order | null {
  const json = new RegExp(`${mark} (\\{.*\\})`).exec(text)?.[1];
  if (json === undefined) return null;
  try {
    const order: unknown = JSON.parse(json);
    return isOrder(order) ? order : null;
  } catch {
    return null;
  }
}

/** Whether an entry is one of ours. */
export function isMarked(text: string): boolean {
  return text.includes(mark);
}

function isOrder(value: unknown): value is Order {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Record<string, unknown>;
  const texts = ['id', 'workspace', 'outputs', 'node', 'program', 'path'];
  return (
    texts.every((name) => typeof fields[name] === 'string') &&
    typeof fields.every === 'number' &&
    typeof fields.account === 'object' &&
    fields.account !== null
  );
}
