import type { BlockDriver } from './device-type.ts';
import { silentLogger, type Logger } from './logger.ts';

/**
 * The settings of v1 that feed device management, with the keys of its TOML table
 * `hypervisor.<name>` (`pkg/katautils/config.go`).
 */
export interface DeviceConfig {
  block_device_driver: BlockDriver;
  block_device_cache_set: boolean;
  block_device_cache_direct: boolean;
  block_device_cache_noflush: boolean;
  disable_block_device_use: boolean;
  enable_iothreads: boolean;
  /** 1 to 5. */
  default_bridges: number;
  hotplug_vfio_on_root_bus: boolean;
  pcie_root_port: number;
  enable_vhost_user_store: boolean;
  vhost_user_store_path: string;
  disable_image_nvdimm: boolean;
  sandbox_cgroup_only: boolean;
}

/** v1's defaults. */
export const defaultDeviceConfig: Readonly<DeviceConfig> = Object.freeze({
  block_device_driver: 'virtio-scsi',
  block_device_cache_set: false,
  block_device_cache_direct: false,
  block_device_cache_noflush: false,
  disable_block_device_use: false,
  enable_iothreads: false,
  default_bridges: 1,
  hotplug_vfio_on_root_bus: false,
  pcie_root_port: 0,
  enable_vhost_user_store: false,
  vhost_user_store_path: '/var/run/kata-containers/vhost-user/',
  disable_image_nvdimm: false,
  sandbox_cgroup_only: false,
});

/**
 * Where facts of the host are read, and how a host path is found: what v1 kept in package
 * variables for its tests to replace. Given to whoever needs it instead.
 */
export interface HostHooks {
  /** `/sys/dev` */
  readonly SysDevPrefix: string;
  /** `/sys/kernel/iommu_groups` */
  readonly SysIOMMUPath: string;
  /** `/sys/bus/pci/devices` */
  readonly SysBusPciDevicesPath: string;
}

export const defaultHostHooks: HostHooks = Object.freeze({
  SysDevPrefix: '/sys/dev',
  SysIOMMUPath: '/sys/kernel/iommu_groups',
  SysBusPciDevicesPath: '/sys/bus/pci/devices',
});

let configLogger: Logger = silentLogger({ source: 'virtcontainers/device/config' });

/** As `setLogger`, for what v1's `config` package logged; its field `source` sticks. */
export function setConfigLogger(logger: Logger): void {
  configLogger = logger.withFields(configLogger.fields);
}

/** The logger of v1's `config` package. Ask on each use; never keep it. */
export function deviceConfigLogger(): Logger {
  return configLogger;
}
