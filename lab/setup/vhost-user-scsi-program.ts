import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { debianSources, releaseName, systemLists } from '../guest/apt.ts';
import { runProgram } from '../guest/run-program.ts';
import { cachedFolder } from './cached-folder.ts';
import { ensurePackages, scsiPackages } from './packages.ts';

/**
 * Stands for QEMU's own header of the system's headers, which needs QEMU's configure script. The program speaks to
 * LUN 0 of its target, whatever its URL says; there tgt has its controller, and the first disk is LUN 1.
 */
const systemHeaders = `#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <glib.h>
#include <iscsi/iscsi.h>
#include "qemu/compiler.h"
#define iscsi_scsi_command_sync(context, lun, task, data) (iscsi_scsi_command_sync)(context, 1, task, data)
`;

const wanted = ['contrib/vhost-user-scsi', 'subprojects/libvhost-user', 'include', 'linux-headers'];
const sources = [
  'contrib/vhost-user-scsi/vhost-user-scsi.c',
  'subprojects/libvhost-user/libvhost-user.c',
  'subprojects/libvhost-user/libvhost-user-glib.c',
];
const includes = ['include', 'linux-headers', 'subprojects/libvhost-user'];

/**
 * QEMU's own back end for vhost-user-scsi, which no package has as a program: compiled from the source of Debian's
 * qemu, once. It passes on the commands of its guest to an iSCSI target.
 *
 * @returns its path
 * @throws VmplugError `missing-package`, `start-failed` with the words of apt or of the compiler
 */
export async function vhostUserScsiProgram(): Promise<string> {
  await ensurePackages(scsiPackages);
  const folder = await cachedFolder('vhost-user-scsi', [systemHeaders], async (made) => {
    process.stderr.write("compiling vhost-user-scsi of Debian's qemu\n");
    const work = join(made, 'work');
    await bringSource(work);
    await mkdir(join(work, 'stub/qemu'), { recursive: true });
    await writeFile(join(work, 'stub/qemu/osdep.h'), systemHeaders);
    const glib = (await runProgram('pkg-config', ['--cflags', '--libs', 'glib-2.0'])).toString().trim();
    await runProgram(
      'gcc',
      [
        ...['-O2', '-w', '-D_GNU_SOURCE', '-o', join(made, 'vhost-user-scsi'), '-Istub'],
        ...includes.map((path) => `-I${path}`),
        ...[...sources, ...glib.split(/\s+/), '-liscsi', '-lpthread'],
      ],
      { cwd: work },
    );
    await rm(work, { recursive: true });
  });
  return join(folder, 'vhost-user-scsi');
}

/** The parts of QEMU's source that are needed, in `work`. */
async function bringSource(work: string): Promise<void> {
  for (const folder of ['lists/partial', 'cache/archives/partial', 'parts'])
    await mkdir(join(work, folder), { recursive: true });
  const targets = await runProgram('apt-get', [
    'indextargets',
    ...['--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Identifier: Packages'],
  ]);
  const lines = debianSources(targets.toString(), await releaseName()).map((source) => `deb-src ${source}\n`);
  await writeFile(join(work, 'parts/source.list'), lines.join(''));
  const apt = [
    ...systemLists(),
    ...['-o', 'Dir::Etc::SourceList=/dev/null', '-o', `Dir::Etc::SourceParts=${join(work, 'parts')}`],
    ...['-o', `Dir::State::Lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${join(work, 'cache')}`],
  ];
  await runProgram('apt-get', [...apt, 'update', '-q'], { cwd: work });
  await runProgram('apt-get', [...apt, 'source', '--download-only', '-q', 'qemu'], { cwd: work });
  const archive = (await readdir(work)).find((name) => /^qemu_.*\.orig\.tar\./.test(name));
  if (archive === undefined) throw new Error('apt brought no source of qemu');
  const patterns = wanted.map((path) => `*/${path}/*`);
  await runProgram('tar', ['-xf', archive, '--strip-components=1', '--wildcards', ...patterns], {
    cwd: work,
  });
}
