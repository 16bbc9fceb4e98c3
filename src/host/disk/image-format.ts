import type { ImageFormat } from '../../api/host-device.ts';
import { foreignFormat } from './foreign-format.ts';
import { startsLikeQcow2 } from './qcow2-header.ts';
import { unsuitable } from '../source-errors.ts';

export interface FormatEvidence {
  path: string;
  /** What the user said. */
  stated: ImageFormat | undefined;
  /** What the image was given to a VMM as before. */
  recorded: () => ImageFormat | undefined;
  /** The first bytes of the image. */
  start: Buffer;
  /** Reads its last 512 bytes. */
  end: () => Buffer;
}

/**
 * Decides an image's format. The content never decides it alone: a guest that has the image as
 * raw can write any header into it, and would then read any host file that the header names as
 * its backing.
 * @throws `source-unsuitable` when what is said and what is there do not fit, or nothing is said
 *   and the content makes it doubtful
 */
export function decideFormat({ path, stated, recorded, start, end }: FormatEvidence): ImageFormat {
  const qcow2 = startsLikeQcow2(start);
  const said = stated ?? recorded();
  if (said === 'qcow2' && !qcow2) {
    throw unsuitable(
      path,
      stated === undefined
        ? 'it was used as a qcow2 image before, but does not start like one'
        : 'it does not start like a qcow2 image',
      'if it is a raw image, say --format raw',
    );
  }
  if (said !== undefined) return said;

  if (/\.qcow2?$/i.test(path)) {
    if (qcow2) return 'qcow2';
    throw unsuitable(
      path,
      'it is named like a qcow2 image, but does not start like one',
      'if it is a raw image, say --format raw',
    );
  }
  if (qcow2) {
    throw unsuitable(
      path,
      'it starts like a qcow2 image, which a guest that was given it as raw could have written',
      'say --format qcow2 or --format raw',
    );
  }
  const foreign = foreignFormat(path, start, end);
  if (foreign !== undefined) {
    throw unsuitable(
      path,
      `it is a ${foreign} image, which is not supported`,
      `convert it with qemu-img convert -O qcow2, or say --format raw if you mean its bytes as they are`,
    );
  }
  return 'raw';
}
