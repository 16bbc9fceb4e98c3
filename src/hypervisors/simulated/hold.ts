/**
 * What a device found when its properties were set, and takes for itself when it is realized.
 * The two are apart because QEMU looks at the place in between.
 * @throws Refusal, and nothing is taken
 */
export type Hold = (device: string) => void;
