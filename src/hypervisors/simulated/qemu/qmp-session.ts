import { stringifyExact } from '../../../api/exact-json.ts';
import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { Command } from '../../../api/plan.ts';
import { Refusal } from '../simulated-errors.ts';
import { JsonSplitter } from './json-splitter.ts';
import type { AtPoint, MessagePoint, MessagePoints } from './message-points.ts';
import { parseRequest, type Request } from './parse-request.ts';
import type { SimulatedEvent, SimulatedQemu } from './simulated-qemu.ts';

/** Where a session writes to. */
export interface SessionOutput {
  write(text: string): void;
  /** Ends the connection at once. */
  drop(): void;
}

/** A job tells the points that it gets to, and hears what to do there. */
type Job = Generator<MessagePoint, void, AtPoint>;

/** Said while the command that causes them runs; all others come when it is answered. */
const saidAtOnce = new Set(['STOP', 'RESUME', 'RESET']);

/**
 * One client of a simulated QEMU, from its greeting to its end: bytes in, text out
 * (docs/interop/qmp-spec). Commands are carried out in the order in which they came, one at a
 * time. Invariant: unless a watcher holds the conversation, all that can be answered is answered
 * when {@link push} returns.
 */
export class QmpSession {
  readonly #vm: SimulatedQemu;
  readonly #points: MessagePoints;
  readonly #output: SessionOutput;
  readonly #splitter = new JsonSplitter();
  readonly #silence: () => void;
  #jobs: Job[] = [];
  #current: Job | undefined;
  #isNegotiated = false;
  #isRunning = false;
  #isOver = false;
  /** What is to be said when the command that runs is answered. */
  #later: SimulatedEvent[] | undefined;

  constructor(vm: SimulatedQemu, points: MessagePoints, output: SessionOutput) {
    this.#vm = vm;
    this.#points = points;
    this.#output = output;
    this.#silence = vm.onEvent((event) => this.#hear(event));
    this.#write({ QMP: { version: vm.version, capabilities: ['oob'] } });
  }

  push(chunk: Uint8Array): void {
    for (const text of this.#splitter.push(chunk)) this.#jobs.push(this.#answer(parseRequest(text)));
    this.#run('go-on');
  }

  /** The client is gone: what it said and was not begun is forgotten. */
  end(): void {
    this.#isOver = true;
    this.#jobs = [];
    this.#silence();
  }

  #hear(event: SimulatedEvent): void {
    if (!this.#isNegotiated || this.#isOver) return;
    if (this.#later === undefined) {
      this.#jobs.push(this.#say(event));
      this.#run('go-on');
    } else if (saidAtOnce.has(event.event)) {
      this.#writeEvent(event);
    } else {
      this.#later.push(event);
    }
  }

  /** Does the jobs as far as nobody holds them; `first` is what to do at the point that one waits at. */
  #run(first: AtPoint): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    let what = first;
    for (;;) {
      this.#current ??= this.#jobs.shift();
      if (this.#current === undefined) break;
      const { done, value } = this.#current.next(what);
      what = 'go-on';
      if (done === true) {
        this.#current = undefined;
        continue;
      }
      const at = this.#points.reach(value);
      if (typeof at !== 'string') {
        void at.then((then) => {
          this.#isRunning = false;
          this.#run(then);
        });
        return;
      }
      what = at;
    }
    this.#isRunning = false;
  }

  *#answer({ id, command }: Request): Job {
    const name = command instanceof Refusal ? '' : command.execute;
    const point = { index: this.#points.next(), kind: 'command', name } as const;
    if ((yield { ...point, phase: 'before' }) === 'drop') return this.#drop();
    const later: SimulatedEvent[] = [];
    this.#later = later;
    const reply = answered(id, () => {
      if (command instanceof Refusal) throw command;
      return this.#carryOut(command);
    });
    this.#later = undefined;
    if ((yield { ...point, phase: 'done' }) === 'drop') return this.#drop();
    this.#write(reply);
    if ((yield { ...point, phase: 'after' }) === 'drop') return this.#drop();
    for (const event of later) yield* this.#say(event);
    if (this.#vm.machine.isEnded) this.#drop();
  }

  *#say(event: SimulatedEvent): Job {
    const point = { index: this.#points.next(), kind: 'event', name: event.event } as const;
    if ((yield { ...point, phase: 'before' }) === 'drop') return this.#drop();
    this.#writeEvent(event);
    if ((yield { ...point, phase: 'after' }) === 'drop') this.#drop();
  }

  #carryOut(command: Command): JsonValue {
    if (command.execute !== 'qmp_capabilities') {
      if (this.#isNegotiated) return this.#vm.execute(command);
      throw new Refusal(
        "Expecting capabilities negotiation with 'qmp_capabilities'",
        'other',
        'CommandNotFound',
      );
    }
    if (this.#isNegotiated) {
      throw new Refusal(
        'Capabilities negotiation is already complete, command ignored',
        'other',
        'CommandNotFound',
      );
    }
    this.#isNegotiated = true;
    return {};
  }

  #drop(): void {
    this.end();
    this.#output.drop();
  }

  #writeEvent({ event, data }: SimulatedEvent): void {
    const { now } = this.#vm.clock;
    const seconds = Math.floor(now / 1000);
    const timestamp = { seconds, microseconds: Math.floor((now - seconds * 1000) * 1000) };
    this.#write({ timestamp, event, ...(data === undefined ? {} : { data }) });
  }

  #write(message: JsonObject): void {
    if (!this.#isOver) this.#output.write(`${stringifyExact(message)}\r\n`);
  }
}

function answered(id: JsonValue | undefined, work: () => JsonValue): JsonObject {
  const under = id === undefined ? {} : { id };
  try {
    return { return: work(), ...under };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...under, error: { class: error.errorClass, desc: error.message } };
  }
}
