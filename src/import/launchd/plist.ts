import { type Element, readXml } from '../text/xml.ts';

/** A value of a property list. Dates and data stay texts: no schedule has any. */
export type PlistValue = string | number | boolean | readonly PlistValue[] | ReadonlyMap<string, PlistValue>;

/** Reads a property list in XML. Keys that stand twice have the last value, as in launchd. */
export function readPlist(text: string): { readonly value: PlistValue } | { readonly problem: string } {
  if (text.startsWith('bplist')) {
    return { problem: 'it is a binary property list: turn a copy into XML first (plutil -convert xml1 -o - FILE)' };
  }
  const root = readXml(text);
  if ('problem' in root) return { problem: `it is no property list: ${root.problem}` };
  if (root.name !== 'plist') return { problem: `it is no property list, but <${root.name}>` };
  const [first] = root.children;
  if (first === undefined) return { problem: 'it is empty' };
  const value = toValue(first);
  return value === null ? { problem: `it holds <${first.name}>, which is no value of a property list` } : { value };
}

function toValue(element: Element): PlistValue | null {
  switch (element.name) {
    case 'string':
    case 'date':
    case 'data':
      return element.text;
    case 'integer': {
      // Hexadecimal is allowed as well.
      const number = /^[+-]?(\d+|0x[\da-f]+)$/i.test(element.text) ? Number(element.text) : Number.NaN;
      return Number.isNaN(number) ? element.text : number;
    }
    case 'real': {
      const number = element.text === '' ? Number.NaN : Number(element.text);
      return Number.isNaN(number) ? element.text : number;
    }
    case 'true':
      return true;
    case 'false':
      return false;
    case 'array':
      return element.children.map(toValue).filter((value) => value !== null);
    case 'dict': {
      const values = new Map<string, PlistValue>();
      for (const [index, child] of element.children.entries()) {
        const next = element.children[index + 1];
        if (child.name !== 'key' || next === undefined || next.name === 'key') continue;
        const value = toValue(next);
        if (value !== null) values.set(child.text, value);
      }
      return values;
    }
    default:
      return null;
  }
}
