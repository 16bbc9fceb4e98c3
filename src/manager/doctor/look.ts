import type { ExchangeOptions } from '../../api/hypervisor.ts';
import { vmmPatienceMs, type OperationContext } from '../../operations/context.ts';
import type { Deadline } from '../../operations/deadline.ts';

/** A VM that is looked at. */
export interface Look extends OperationContext {
  /** By when all questions to it have to be answered; without one each has the usual time. */
  readonly deadline?: Deadline;
}

/** The limits of a question that changes nothing, and may be given up at any time. */
export function asking({ deadline }: Look): ExchangeOptions {
  return deadline?.exchange() ?? { timeoutMs: vmmPatienceMs };
}
