// The public API of the library, for programs that embed avfs. The command line and the daemon are
// built on the same exports.

export { createFileSystem, type FileSystem } from './fs/file-system.ts'
export type {
  AttributeChange,
  Attributes,
  Caller,
  FileSystemStatus,
  KernelNotices,
  Node,
  Operations,
  TakeEntry,
} from './fs/operations.ts'
export { StoreError, type StoreErrorKind } from './store/store.ts'
export type { CheckOptions, CheckReport, Problem } from './vault/check/check.ts'
export type { VaultInfo, VaultStats } from './vault/core/facts.ts'
export {
  createVault,
  openVault,
  type Vault,
  type VaultOptions,
} from './vault/vault.ts'
