import { VmplugError } from '../api/errors.ts';

/** Runs `work`; its errors say that they came up while doing `action`, whatever they said before. */
export async function withAction<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof VmplugError)) throw error;
    const { code, subject, reason, hint, cause, facts } = error;
    throw new VmplugError(code, {
      action,
      subject,
      reason,
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
      facts,
    });
  }
}
