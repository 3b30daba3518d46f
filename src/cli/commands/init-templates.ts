import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describePlatform } from '../../config/load/platform.ts';

/** A file of a new workspace, and what it is for. */
export interface Template {
  readonly name: string;
  readonly purpose: string;
  readonly text: string;
  readonly isExecutable?: true;
}

export function ownFiles(): Template[] {
  return [
    { name: 'tasks.config.ts', purpose: 'what runs when, and after what', text: configText() },
    { name: 'scripts/hello.mjs', purpose: 'a script to begin with', text: scriptText, isExecutable: true },
  ];
}

export function surroundings(root: string): Template[] {
  return [
    { name: 'tsconfig.json', purpose: 'lets an editor check and complete tasks.config.ts', text: typesText(root) },
    { name: '.gitignore', purpose: 'keeps the records out of the repository', text: 'outputs/\nnode_modules/\n' },
  ];
}

function configText(): string {
  return `import { defineConfig } from 'rhythm-scheduler';

// What would run now, and why: rhythm tick --dry-run
export default defineConfig({
  // For calendars (\`daily\`, \`cron\`). An interval (\`every\`) needs none: its beats lie on a fixed grid in UTC.
  timezone: '${describePlatform().systemTimezone}',

  groups: {
    hello: {
      description: 'Says hello.',
      // Beats at :00, :10, :20 …, however late the trigger comes. Instead: daily: '03:00', or cron: '0 3 * * 1-5'.
      every: '10m',
      // Files under scripts/ with their arguments, one after another; the interpreter follows from the extension.
      scripts: ['hello.mjs --loud'],
    },

    // Another one, that runs only if the last hello went well, and has more to say about its script:
    //
    // report: {
    //   daily: '03:00',
    //   dependsOn: ['hello'],
    //   scripts: [{ run: 'report.py', timeout: '10m', retries: 2 }],
    // },
  },
});
`;
}

const scriptText = `#!/usr/bin/env node
// What it prints is kept in a file of its own under outputs/runs/; a status other than 0 is a failure.
const words = process.argv.includes('--loud') ? 'HELLO' : 'hello';
console.log(\`\${words} from \${process.env.RHYTHM_GROUP}, for the beat \${process.env.RHYTHM_BEAT}\`);
`;

/**
 * Types come from the package where it is installed beside the workspace, else from this very program, wherever it is: so
 * an editor finds them also where rhythm is installed for the whole machine.
 */
function typesText(root: string): string {
  const own = fileURLToPath(new URL('types/index.d.ts', import.meta.url));
  const beside = './node_modules/rhythm-scheduler/dist/types/index.d.ts';
  const paths = [...new Set([beside, relative(root, own) === beside.slice(2) ? beside : own.replaceAll('\\', '/')])];
  const settings = {
    compilerOptions: {
      target: 'es2023',
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      paths: { 'rhythm-scheduler': paths },
    },
    include: ['tasks.config.ts', 'scripts'],
  };
  return `${JSON.stringify(settings, null, 2)}\n`;
}
