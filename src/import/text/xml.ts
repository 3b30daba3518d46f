import { XMLParser, XMLValidator } from 'fast-xml-parser';

/** An element: its name without a prefix, its text, its child elements in order. */
export interface Element {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Text and CDATA within it, joined, blanks at both ends gone. */
  readonly text: string;
  readonly children: readonly Element[];
}

type Node = Record<string, unknown>;

/**
 * Reads a document and returns its root element, or says why it can't. Entities are decoded here, for the library leaves
 * numeric ones alone; those that a document declares itself stay as they are, so nothing can be made to explode.
 */
export function readXml(text: string): Element | { readonly problem: string } {
  const source = text.replace(/^\uFEFF/, '').trimStart();
  let nodes: Node[];
  try {
    const verdict = XMLValidator.validate(source);
    if (verdict !== true) return { problem: `${verdict.err.msg} (line ${verdict.err.line})` };
    const parser = new XMLParser({
      preserveOrder: true,
      ignoreAttributes: false,
      attributeNamePrefix: '',
      cdataPropName: '#cdata',
      removeNSPrefix: true,
      parseTagValue: false,
      parseAttributeValue: false,
      processEntities: false,
      trimValues: false,
      ignoreDeclaration: true,
      ignorePiTags: true,
    });
    nodes = parser.parse(source) as Node[];
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
  const root = nodes.map(toElement).find((element) => element !== null);
  return root ?? { problem: 'it holds no element' };
}

/** The first child of that name. */
export function childOf(element: Element, name: string): Element | null {
  return element.children.find((child) => child.name === name) ?? null;
}

/** The text of the first child of that name; null where there is none. */
export function textOf(element: Element, name: string): string | null {
  return childOf(element, name)?.text ?? null;
}

function toElement(node: Node): Element | null {
  const name = Object.keys(node).find((key) => key !== ':@');
  if (name === undefined || name.startsWith('#')) return null;
  const inner = (node[name] ?? []) as Node[];
  const attributes = Object.entries((node[':@'] ?? {}) as Record<string, string>);
  const children: Element[] = [];
  let content = '';
  for (const part of inner) {
    if ('#text' in part) content += decodeEntities(String(part['#text']));
    else if ('#cdata' in part) for (const piece of part['#cdata'] as Node[]) content += String(piece['#text'] ?? '');
    else {
      const child = toElement(part);
      if (child !== null) children.push(child);
    }
  }
  return {
    name,
    attributes: new Map(attributes.map(([key, value]) => [key, decodeEntities(value)])),
    text: content.trim(),
    children,
  };
}

const named = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return named.get(name) ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : whole;
  });
}

interface Leaf {
  readonly path: string;
  readonly text: string;
}

export function leavesOf(element: Element, path = element.name): Leaf[] {
  if (element.children.length === 0) return [{ path, text: element.text }];
  const count = new Map<string, number>();
  return element.children.flatMap((child) => {
    const number = (count.get(child.name) ?? 0) + 1;
    count.set(child.name, number);
    const several = element.children.filter(({ name }) => name === child.name).length > 1;
    return leavesOf(child, `${path}/${child.name}${several ? `[${number}]` : ''}`);
  });
}
