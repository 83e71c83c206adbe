//! A compiled filter: loaded once, shared by any number of simulators. It holds no state of a run.

use std::path::Path;

use wasmtime::{Config, Engine, ExternType, OptLevel};

use crate::error::Error;
use crate::host::Host;
use crate::{hostcalls, wasi};

/// The exports that say which ABI a module speaks.
const ABI_VERSIONS: [&str; 2] = ["proxy_abi_version_0_2_0", "proxy_abi_version_0_2_1"];

/// A compiled filter, ready to be instantiated cheaply. Cloning it shares the code.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) linked: wasmtime::InstancePre<Host>,
}

impl Module {
    /// Reads and compiles a `.wasm` file.
    ///
    /// # Errors
    /// If the file cannot be read, and as [`Module::from_bytes`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Compiles a module and checks what it imports and exports, as Envoy does at load.
    ///
    /// # Errors
    /// If it is not a module, imports what Envoy does not offer, or lacks an ABI version or an allocator.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut config = Config::new();
        // Compiling quickly matters more to a test than running quickly; fuel is the same.
        config.consume_fuel(true).cranelift_opt_level(OptLevel::None);
        let engine = Engine::new(&config).map_err(Error::Compile)?;
        let module = wasmtime::Module::new(&engine, bytes).map_err(Error::Compile)?;

        let has = |name: &str| matches!(module.get_export(name), Some(ExternType::Func(_)));
        if !ABI_VERSIONS.iter().any(|name| has(name)) {
            return Err(Error::UnknownAbi);
        }
        if !has("malloc") && !has("proxy_on_memory_allocate") {
            return Err(Error::MissingExport("proxy_on_memory_allocate"));
        }
        let mut linker = wasmtime::Linker::new(&engine);
        hostcalls::link(&mut linker).map_err(Error::Instantiate)?;
        wasi::link(&mut linker).map_err(Error::Instantiate)?;
        let linked = linker.instantiate_pre(&module).map_err(|error| {
            match error.downcast_ref::<wasmtime::UnknownImportError>() {
                Some(unknown) => Error::UnknownImport {
                    module: unknown.module().to_owned(),
                    name: unknown.name().to_owned(),
                },
                None => Error::Instantiate(error),
            }
        })?;
        Ok(Self { engine, linked })
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").finish_non_exhaustive()
    }
}
