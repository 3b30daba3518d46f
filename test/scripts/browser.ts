import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

/** A headless Chromium, spoken to over its debugging pipe; null where none is installed. */
export const chromium =
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
    .find((file) => existsSync(file)) ?? null;

export interface Look {
  readonly width: number;
  readonly scheme: 'light' | 'dark';
}

export interface Page {
  /** What an expression in the page is worth. */
  evaluate<T>(expression: string): Promise<T>;
  /** A picture of the whole page, as PNG. */
  picture(): Promise<Buffer>;
  /** The addresses that the page asked for. */
  readonly requested: readonly string[];
}

type Answer = { id?: number; sessionId?: string; method?: string; params?: never; result?: never; error?: object };

/** Opens files, one at a time. */
export class Browser {
  readonly #child: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'rhythm-browser-'));
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #listeners = new Set<(event: Answer) => void>();
  #calls = 0;

  constructor(program: string) {
    this.#child = spawn(
      program,
      [
        '--headless=new',
        '--remote-debugging-pipe',
        // Neither a container nor root lets it build its sandbox; what it opens is our own page.
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--hide-scrollbars',
        `--user-data-dir=${this.#folder}`,
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true },
    );
    let rest = '';
    (this.#child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#receive(JSON.parse(message));
    });
  }

  #receive(answer: Answer): void {
    if (answer.id === undefined) for (const listener of this.#listeners) listener(answer);
    else this.#waiting.get(answer.id)?.(answer);
  }

  async #call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, never>> {
    const id = ++this.#calls;
    const answered = new Promise<Answer>((settle) => this.#waiting.set(id, settle));
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answered;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result ?? {};
  }

  async open(file: string, { width, scheme }: Look): Promise<Page> {
    const { targetId } = await this.#call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#call('Target.attachToTarget', { targetId, flatten: true });
    const call = (method: string, params: object = {}) => this.#call(method, params, sessionId);
    const requested: string[] = [];
    let loaded = (): void => undefined;
    const isLoaded = new Promise<void>((settle) => {
      loaded = settle;
    });
    this.#listeners.add(
      ({ method, params = {}, sessionId: from }: { method?: string; params?: object; sessionId?: string }) => {
        if (from !== sessionId) return;
        if (method === 'Network.requestWillBeSent')
          requested.push((params as { request: { url: string } }).request.url);
        if (method === 'Page.loadEventFired') loaded();
      },
    );
    await call('Page.enable');
    await call('Network.enable');
    await call('Emulation.setDeviceMetricsOverride', { width, height: 800, deviceScaleFactor: 1, mobile: width < 600 });
    await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    await call('Page.navigate', { url: pathToFileURL(file).href });
    await isLoaded;
    return {
      requested,
      async evaluate<T>(expression: string) {
        const answer: unknown = await call('Runtime.evaluate', {
          expression,
          returnByValue: true,
          awaitPromise: true,
        });
        const { result, exceptionDetails } = answer as { result: { value: T }; exceptionDetails?: object };
        if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
        return result.value;
      },
      async picture() {
        const { data } = await call('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
        return Buffer.from(data as unknown as string, 'base64');
      },
    };
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit');
    // Its own processes as well, which would go on writing for a while.
    process.kill(-(this.#child.pid as number), 'SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
