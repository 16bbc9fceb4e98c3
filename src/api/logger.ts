/** Structured fields of a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The logger that the library is given; pino, console wrappers and v1-style entries fit. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  withFields(fields: LogFields): Logger;
  /** The fields that this logger adds. */
  readonly fields: LogFields;
}

/** A logger that says nothing. */
export function silentLogger(fields: LogFields = {}): Logger {
  const quiet = (): void => undefined;
  return {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: quiet,
    fields,
    withFields: (more) => silentLogger({ ...fields, ...more }),
  };
}

let current: Logger = silentLogger({ subsystem: 'device' });

/**
 * Replaces the package's logger. As in v1 the fields of the logger before are laid over the
 * new one and win on a clash, so that `subsystem=device` sticks.
 * @throws TypeError when `logger` is not a logger
 */
export function setLogger(logger: Logger): void {
  if (typeof logger?.withFields !== 'function') {
    throw new TypeError('setLogger: a logger with withFields() is needed');
  }
  current = logger.withFields(current.fields);
}

/** The current logger. Ask on each use; never keep it. */
export function deviceLogger(): Logger {
  return current;
}
