import { dirname } from 'node:path';
import type { ImageFormat } from '../../api/host-device.ts';
import { hasCode, quoted } from '../../api/errors.ts';
import { nodeKey, sameNode } from '../device-number.ts';
import { examineLayer, type DiskLayer, type LayerRequest } from './disk-layer.ts';
import { identityAt } from './host-usage.ts';
import { unsuitable } from '../source-errors.ts';
import { absolutePath, realLayerPath } from '../source-path.ts';

const deepest = 32;

/**
 * The images below `top`, nearest first, each examined as the top was, read-only.
 * @param named the top image's path as given, absolute: where QEMU's own tools look for a relative backing file
 * @throws `source-unsuitable` for what is missing, of unstated format, in a circle or too deep
 */
export function backingChain(
  top: DiskLayer,
  named: string,
  request: Pick<LayerRequest, 'force' | 'usage'>,
): DiskLayer[] {
  const below: DiskLayer[] = [];
  const seen = new Set([keyOf(top)]);
  let above = top;
  let spelled = named;
  for (;;) {
    const image = above.layer.path;
    const { backingFile, backingFormat } = above.header ?? {};
    if (backingFile === undefined) return below;
    if (below.length === deepest) throw unsuitable(named, `more than ${deepest} images are stacked below it`);
    const format = statedFormat(image, backingFile, backingFormat);
    const path = locate(image, spelled, backingFile, request.usage);
    above = examineLayer({
      ...request,
      path,
      source: path,
      format,
      recordedFormat: undefined,
      readOnly: true,
      mode: 'shared-read',
    });
    if (seen.has(keyOf(above)))
      throw unsuitable(image, `its backing files go in a circle, by way of ${path}`);
    seen.add(keyOf(above));
    below.push(above);
    spelled = absolutePath(backingFile, dirname(spelled));
  }
}

function statedFormat(image: string, backing: string, stated: string | undefined): ImageFormat {
  if (stated === 'raw' || stated === 'qcow2') return stated;
  if (stated === undefined) {
    throw unsuitable(
      image,
      `it does not say which format its backing file ${quoted(backing)} has`,
      `state it: qemu-img rebase -u -F raw|qcow2 -b ${quoted(backing)} ${quoted(image)}`,
    );
  }
  throw unsuitable(
    image,
    `its backing file ${quoted(backing)} is in the format ${quoted(stated)}; raw and qcow2 are supported`,
    'convert it with qemu-img convert -O qcow2 and rebase the image on that',
  );
}

/** Where the backing file is. `image` and `spelled` are the same image by its real and its given path. */
function locate(image: string, spelled: string, backing: string, usage: LayerRequest['usage']): string {
  // As in QEMU's path_has_protocol: a colon before any slash. `json:` is one of them.
  if (/^[^/]*:/.test(backing)) {
    throw unsuitable(
      image,
      `its backing ${quoted(backing)} is not the path of a file or block device`,
      'for a file with a colon in its name, write ./name',
    );
  }
  const ways = new Set([absolutePath(backing, dirname(image)), absolutePath(backing, dirname(spelled))]);
  const found = [...ways].flatMap((way) => {
    const identity = identityAt(way);
    return identity === undefined ? [] : [{ way, identity }];
  });
  const [first, second] = found;
  if (first && second && !sameNode(first.identity, second.identity)) {
    throw unsuitable(
      image,
      `its backing file could be ${first.way} or ${second.way}, since it was given by a symbolic link`,
      'give the image by its real path, or make the backing path absolute with qemu-img rebase -u',
    );
  }
  const way = first?.way ?? absolutePath(backing, dirname(image));
  try {
    return realLayerPath(way, usage.paths);
  } catch (error) {
    if (!hasCode(error, 'source-not-found')) throw error;
    throw unsuitable(
      image,
      `its backing file ${way} does not exist`,
      'put it back, or name the one to use: qemu-img rebase -u -b FILE -F FORMAT IMAGE',
      error,
    );
  }
}

function keyOf({ identity }: DiskLayer): string {
  return nodeKey(identity);
}
