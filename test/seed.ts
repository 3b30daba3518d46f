import * as fc from 'fast-check';

/** Property tests try the same cases on every machine, so that a red gate is a change's doing; SEED tries others. */
fc.configureGlobal({ seed: Number(process.env.SEED ?? 20_261_122) });
