import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { attachmentRecord, operationRecord, sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

let directory: string;
let store: SqliteStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
  store = SqliteStore.open(directory);
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

describe('sandboxes', () => {
  test('are kept by name, changed in place, and listed in order', () => {
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('b'));
      tx.putSandbox(sandboxRecord('a'));
      tx.putSandbox({ ...sandboxRecord('b'), createdAt: 7 });
    });
    expect(store.read((tx) => tx.sandboxes().map(({ name, createdAt }) => [name, createdAt]))).toEqual([
      ['a', 1],
      ['b', 7],
    ]);
    expect(store.read((tx) => tx.sandbox('a'))).toEqual(sandboxRecord('a'));
    expect(store.read((tx) => tx.sandbox('c'))).toBeUndefined();
  });

  test('take everything with them that belongs to them, and nothing else', () => {
    store.write((tx) => {
      for (const name of ['a', 'b']) {
        tx.putSandbox(sandboxRecord(name));
        tx.putAttachment(attachmentRecord(`${name}1`, name));
        tx.claim([{ key: 'shared', mode: 'shared-read' }], `${name}1`, name);
        tx.takePlace(name, 'pci:port0:00', `${name}1`);
        tx.putOperation(operationRecord(`op-${name}`, `${name}1`, name));
      }
      tx.putImageFormat('file:1:2', 'raw');
      tx.deleteSandbox('a');
      tx.deleteSandbox('never');
    });
    store.read((tx) => {
      expect(tx.attachments().map(({ id }) => id)).toEqual(['b1']);
      expect(tx.holders('shared').map(({ device }) => device)).toEqual(['b1']);
      expect([...tx.takenPlaces('a')]).toEqual([]);
      expect([...tx.takenPlaces('b')]).toEqual(['pci:port0:00']);
      expect(tx.operations({}).map(({ id }) => id)).toEqual(['op-b']);
      expect(tx.imageFormat('file:1:2')).toBe('raw');
    });
  });
});

describe('attachments', () => {
  beforeEach(() =>
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('a'));
      tx.putSandbox(sandboxRecord('b'));
    }),
  );

  test('are listed in order of creation, by sandbox or all, and keep exact integers', () => {
    const big = {
      ...attachmentRecord('2', 'a'),
      createdAt: 2,
      host: { ...attachmentRecord('2', 'a').host, virtualSize: 2 ** 53 - 1 },
    };
    store.write((tx) => {
      tx.putAttachment(attachmentRecord('3', 'a'));
      tx.putAttachment(big);
      tx.putAttachment(attachmentRecord('1', 'b'));
      tx.putAttachment({ ...attachmentRecord('3', 'a'), state: 'detaching' });
    });
    store.read((tx) => {
      expect(tx.attachments().map(({ id }) => id)).toEqual(['3', '2', '1']);
      expect(tx.attachments('a').map(({ id, state }) => [id, state])).toEqual([
        ['3', 'detaching'],
        ['2', 'attached'],
      ]);
      expect(tx.attachment('2')).toEqual(big);
      expect(tx.attachment('9')).toBeUndefined();
    });
  });

  test('take their claims and places with them', () => {
    store.write((tx) => {
      tx.putAttachment(attachmentRecord('1', 'a'));
      tx.claim([{ key: 'k', mode: 'exclusive' }], '1', 'a');
      tx.takePlace('a', 'p', '1');
      tx.deleteAttachment('1');
    });
    store.read((tx) => {
      expect(tx.holders('k')).toEqual([]);
      expect(tx.takenPlaces('a').size).toBe(0);
    });
  });

  test('need a sandbox that is known', () => {
    expect(() => store.write((tx) => tx.putAttachment(attachmentRecord('1', 'nowhere')))).toThrow(
      expect.objectContaining({ code: 'state-unavailable' }),
    );
    expect(store.read((tx) => tx.attachments())).toEqual([]);
  });
});

describe('places', () => {
  beforeEach(() =>
    store.write((tx) => {
      for (const name of ['a', 'b']) {
        tx.putSandbox(sandboxRecord(name));
        tx.putAttachment(attachmentRecord(`${name}1`, name));
        tx.putAttachment(attachmentRecord(`${name}2`, name));
      }
    }),
  );

  test('are given out once in a sandbox, and again when they are free', () => {
    store.write((tx) => {
      tx.takePlace('a', 'p', 'a1');
      tx.takePlace('b', 'p', 'b1');
    });
    expect(() => store.write((tx) => tx.takePlace('a', 'p', 'a2'))).toThrow(
      expect.objectContaining({ code: 'no-free-place' }),
    );
    store.write((tx) => {
      tx.freePlaces('a1');
      tx.takePlace('a', 'p', 'a2');
    });
    expect(store.read((tx) => [...tx.takenPlaces('b')])).toEqual(['p']);
  });
});

describe('operations', () => {
  test('are listed oldest first, by device, by sandbox or all, and changed in place', () => {
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('a'));
      for (const id of ['z', 'y', 'x']) tx.putOperation(operationRecord(id, id === 'y' ? '2' : '1', 'a'));
      tx.putOperation({ ...operationRecord('z', '1', 'a'), state: 'failed' });
    });
    store.read((tx) => {
      expect(tx.operations({ device: '1' }).map(({ id, state }) => [id, state])).toEqual([
        ['z', 'failed'],
        ['x', 'done'],
      ]);
      expect(tx.operations({ sandbox: 'a' })).toHaveLength(3);
      expect(tx.operations({ sandbox: 'b' })).toEqual([]);
      expect(tx.operations({})).toHaveLength(3);
      expect(tx.operation('y')?.device).toBe('2');
      expect(tx.operation('w')).toBeUndefined();
    });
  });

  test('of devices that are gone are kept up to about a thousand; of those that are there, all', () => {
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('a'));
      tx.putAttachment(attachmentRecord('here', 'a'));
      tx.putOperation(operationRecord('first', 'here', 'a'));
      for (let index = 0; index < 1300; index += 1)
        tx.putOperation(operationRecord(`${index}`, `gone-${index}`, 'a'));
    });
    const kept = store.read((tx) => tx.operations({ sandbox: 'a' }));
    expect(kept[0]?.id).toBe('first');
    expect(kept.at(-1)?.id).toBe('1299');
    expect(kept.length).toBeGreaterThan(999);
    expect(kept.length).toBeLessThan(1102);
  });

  test('of a device that comes and goes the newest are kept, in which its highest generation is', () => {
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('a'));
      for (let index = 0; index < 200; index += 1) {
        tx.putOperation(operationRecord(`op-${index}`, 'd', 'a'));
        tx.putOperation(operationRecord(`other-${index}`, 'e', 'a'));
      }
    });
    const kept = store.read((tx) => tx.operations({ device: 'd' }).map(({ id }) => id));
    expect(kept).toEqual(Array.from({ length: 50 }, (_, index) => `op-${index + 150}`));
  });

  test('of each of two sandboxes that take turns old ones go', () => {
    store.write((tx) => {
      for (const name of ['a', 'b']) tx.putSandbox(sandboxRecord(name));
      for (let index = 0; index < 1300; index += 1) {
        for (const name of ['a', 'b'])
          tx.putOperation(operationRecord(`${name}${index}`, `${name}${index}`, name));
      }
    });
    for (const name of ['a', 'b']) {
      const kept = store.read((tx) => tx.operations({ sandbox: name }));
      expect(kept.at(-1)?.id).toBe(`${name}1299`);
      expect(kept.length).toBeGreaterThan(999);
      expect(kept.length).toBeLessThan(1102);
    }
  });
});

test('the format of an image is recorded once and can be changed', () => {
  store.write((tx) => tx.putImageFormat('k', 'raw'));
  store.write((tx) => tx.putImageFormat('k', 'qcow2'));
  expect(store.read((tx) => [tx.imageFormat('k'), tx.imageFormat('l')])).toEqual(['qcow2', undefined]);
});

describe('transactions', () => {
  test('one that throws leaves nothing, and the error is what was thrown', () => {
    const mistake = new Error('mistake');
    expect(() =>
      store.write((tx) => {
        tx.putSandbox(sandboxRecord('a'));
        tx.putAttachment(attachmentRecord('1', 'a'));
        tx.putImageFormat('k', 'raw');
        throw mistake;
      }),
    ).toThrow(mistake);
    expect(store.read((tx) => [tx.sandboxes(), tx.attachments(), tx.imageFormat('k')])).toEqual([
      [],
      [],
      undefined,
    ]);
    store.write((tx) => tx.putSandbox(sandboxRecord('a')));
  });

  test('one inside another is refused, and the outer one is whole', () => {
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('a'));
      expect(() => store.write((inner) => inner.putSandbox(sandboxRecord('b')))).toThrow(
        expect.objectContaining({ code: 'internal-error' }),
      );
      expect(() => store.read((inner) => inner.sandboxes())).toThrow(
        expect.objectContaining({ code: 'internal-error' }),
      );
      tx.putSandbox(sandboxRecord('c'));
    });
    expect(store.read((tx) => tx.sandboxes().map(({ name }) => name))).toEqual(['a', 'c']);
    expect(() =>
      store.write((tx) => {
        tx.putSandbox(sandboxRecord('d'));
        store.read((inner) => inner.sandboxes());
      }),
    ).toThrow(expect.objectContaining({ code: 'internal-error' }));
    expect(store.read((tx) => tx.sandbox('d'))).toBeUndefined();
  });

  test('what one store wrote, another one on the same directory reads', () => {
    using other = SqliteStore.open(directory);
    store.write((tx) => tx.putSandbox(sandboxRecord('a')));
    expect(other.read((tx) => tx.sandboxes().map(({ name }) => name))).toEqual(['a']);
    other.write((tx) => tx.deleteSandbox('a'));
    expect(store.read((tx) => tx.sandboxes())).toEqual([]);
  });
});

test('a write that does not wait for the disk is seen by others at once, and undone when it throws', () => {
  using other = SqliteStore.open(directory);
  expect(store.writeSoon((tx) => (tx.putSandbox(sandboxRecord('a')), 7))).toBe(7);
  expect(() =>
    store.writeSoon((tx) => {
      tx.deleteSandbox('a');
      throw new Error('mistake');
    }),
  ).toThrow('mistake');
  expect(other.read((tx) => tx.sandboxes().map(({ name }) => name))).toEqual(['a']);
});
