import { SourceMap } from 'node:module';
import { basename, dirname, relative } from 'node:path';
import type { Bundle } from '../bundle.ts';
import { ConfigError } from '../problems.ts';

/** In ms. Without a limit, a configuration that waits for something that never comes would end the tick silently. */
const patience = 30_000;

/** Node evaluates each address once, and the same sources may yield another value later. */
let evaluations = 0;

/** Runs a bundle and returns what it exports: a configuration, a promise of one, or a function that returns either. */
export async function evaluate(bundle: Bundle, file: string): Promise<unknown> {
  const name = `rhythm-config-${++evaluations}`;
  // From its text rather than from a file: nothing has to be written, and what was checked is what runs.
  const code = Buffer.from(`${bundle.code}\n//# sourceURL=${name}\n`).toString('base64');
  const refusal = (message: string): ConfigError => new ConfigError(basename(file), [{ path: '', message }]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `it was not ready after ${patience / 1_000} s; let it wait for nothing`;
    timer = setTimeout(() => reject(refusal(message)), patience);
  });
  const work = async (): Promise<unknown> => {
    const module = await import(`data:text/javascript;base64,${code}#${name}`);
    const { written: exported } = module as { written: Record<string, unknown> };
    if (!('default' in exported))
      throw refusal('it exports no configuration; write export default defineConfig({ … })');
    return typeof exported.default === 'function' ? await exported.default() : await exported.default;
  };
  try {
    return await Promise.race([work(), late]);
  } catch (thrown) {
    throw thrown instanceof ConfigError ? thrown : explainThrown(thrown, name, bundle, file);
  } finally {
    clearTimeout(timer);
  }
}

/** Reports what a configuration threw, and where, in terms of its sources: nobody knows the lines of the bundle. */
function explainThrown(thrown: unknown, name: string, bundle: Bundle, file: string): ConfigError {
  const map = new SourceMap(JSON.parse(bundle.map));
  const folder = dirname(file);
  let location: string | null = null;
  // A stack names the bundle, or its address, which is all of its text; an error of linking gives no column.
  const address = 'data:text/javascript;base64,[\\w+/=]+#';
  const position = new RegExp(`(?:${address})?${name}:(\\d+)(?::(\\d+))?`, 'g');
  const clean = (text: string): string =>
    text
      .replace(position, (frame, line: string, column = '1') => {
        const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
        if (!('originalSource' in entry)) return frame;
        const origin = `${entry.originalLine + 1}:${entry.originalColumn + 1}`;
        location ??= `${relative(folder, entry.originalSource)}:${origin}`;
        return `${entry.originalSource}:${origin}`;
      })
      .replace(new RegExp(`${address}${name}`, 'g'), file);
  if (thrown instanceof Error) {
    thrown.stack = clean(thrown.stack ?? '');
    thrown.message = clean(thrown.message);
  }
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : clean(String(thrown));
  const message = `it failed while it was read: ${what.replace(/\s*\n\s*/g, ' ')}`;
  return new ConfigError(basename(file), [{ path: location ?? '', message }], { cause: thrown });
}
