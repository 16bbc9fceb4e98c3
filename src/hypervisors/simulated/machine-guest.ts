/** The guest of a machine, where it is not told what to do in a word: it is told what happens. */
export interface MachineGuest {
  /** A device is there for the taking. */
  plugged(id: string): void;
  /**
   * It is asked to let go of a device, which it does by `letGo` of the machine.
   * @throws Refusal
   */
  unplugRequested(id: string): void;
}
