import type { VmmFacts } from '../../api/hypervisor.ts';
import type { JsonObject } from '../../api/json.ts';
import { checkId, required } from './device-arguments.ts';
import { deviceModels, type DeviceModel } from './device-models.ts';
import type { MachineWords } from './machine-words.ts';
import { Refusal } from './simulated-errors.ts';
import { simulatedFacts } from './simulated-facts.ts';

/**
 * The model that `device_add` names, where this machine has it with every property that it is given.
 * @throws Refusal
 */
export function checkModel(args: JsonObject, facts: VmmFacts, words: MachineWords): DeviceModel {
  if (args['id'] !== undefined && words.checksId) checkId(required(args, 'id'));
  const driver = required(args, 'driver');
  const model = deviceModels.get(driver);
  if (model === undefined || !facts.features.includes(`device:${driver}`)) {
    throw new Refusal(`'${driver}' is not a valid device model name`);
  }
  return model;
}

/**
 * Refuses a property that this machine was made without, or that it has otherwise.
 * @throws Refusal
 */
export function checkProperties(args: JsonObject, facts: VmmFacts, words: MachineWords): void {
  const driver = required(args, 'driver');
  const properties = words.properties?.(driver);
  if (properties !== undefined) return checkKnown(driver, args, properties, words);
  for (const name of Object.keys(args)) {
    const feature = `property:${driver}.${name}`;
    if (simulatedFacts.features.includes(feature) && !facts.features.includes(feature)) {
      throw new Refusal(`Property '${driver}.${name}' not found`);
    }
  }
}

/** What `device_add` takes itself. */
const ownArguments = new Set(['driver', 'id', 'bus']);

function checkKnown(
  driver: string,
  args: JsonObject,
  properties: ReadonlyMap<string, string>,
  words: MachineWords,
): void {
  for (const [name, value] of Object.entries(args)) {
    if (ownArguments.has(name)) continue;
    const type = properties.get(name);
    if (type === undefined) throw new Refusal(`Property '${driver}.${name}' not found`);
    words.checkType(name, type, value);
  }
}
